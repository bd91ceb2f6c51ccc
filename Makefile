# What a newcomer can guess: setup, demo, test, check. See README.md.

PYTHON ?= python3.11
VENV ?= .venv
BIN = $(VENV)/bin
PIP_INSTALL = $(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps
PYTEST = $(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile
TEST_PROCESSES ?= 2
unexport PYTHONDONTWRITEBYTECODE  # every start of Prefect would compile it anew

.PHONY: help setup demo up deployments test test-reader quick check docs format lock clean bench bench-full bench-guard bench-peers bench-page
.DEFAULT_GOAL := help

help:
	@echo "make demo    build a dataset from Python's own standard library and look at it"
	@echo "make up      run the platform on this machine: server, worker, deployments; Ctrl-C ends it"
	@echo "make test    run every test; GROUPSTREAM_TESTS=all tries every combination, which takes an hour more"
	@echo "make test-reader  run the tests of the light library, installed alone"
	@echo "make quick   run the tests that take seconds"
	@echo "make check   lint, types, import layers"
	@echo "make docs    build the site of the documentation into site/"
	@echo "make bench   run the short benchmarks (5 to 8 minutes), and compare their ratios with the kept ones: make bench-guard"
	@echo "make bench-full  run all benchmarks (hours, 30 GB), and write docs/benchmarks.md from them: make bench-page"
	@echo "make bench-peers  make the environments of the peers that cannot live beside us (5 GB)"
	@echo "make deployments  write the deployments of specs/ into prefect.yaml"
	@echo "make setup   make the environment for development (demo and test do it by themselves)"
	@echo "make lock    pin the newest versions that pyproject.toml allows"
	@echo "make clean   remove the environment and the demo's datasets"

# An environment is a folder with a virtual environment and a stamp for each set of requirements in it.
$(VENV)/created:
	@scripts/make-venv $(PYTHON) $(VENV)
	@touch $@

$(VENV)/platform: requirements/platform.txt pyproject.toml reader/pyproject.toml | $(VENV)/created
	@echo "Installing what the platform needs (about 1 GB) ..."
	@$(PIP_INSTALL) --require-hashes -r requirements/platform.txt
	@$(PIP_INSTALL) --no-build-isolation -e reader -e .
	@touch $@

$(VENV)/dev: requirements/dev.txt pyproject.toml reader/pyproject.toml | $(VENV)/created
	@echo "Installing what the tests need (about 2.5 GB) ..."
	@$(PIP_INSTALL) --require-hashes -r requirements/dev.txt
	@$(PIP_INSTALL) --no-build-isolation -e reader -e .
	@touch $@ $(VENV)/platform

setup: $(VENV)/dev

demo: export GROUPSTREAM_ROOT = $(CURDIR)/.demo
demo: export PREFECT_HOME = $(CURDIR)/.demo/.prefect
demo: $(VENV)/platform
	@$(BIN)/groupstream build specs/demo.yaml
	@echo
	@$(BIN)/groupstream head stdlib --groups 1 --examples 1

# The datasets of the demo; name others with: make up GROUPSTREAM_ROOT=~/groupstream
up: export GROUPSTREAM_ROOT ?= $(CURDIR)/.demo
up: $(VENV)/platform
	@exec $(BIN)/groupstream up

deployments: $(VENV)/platform
	@$(BIN)/python scripts/render_deployments.py

# Twice: after Prefect has run in a process, the processes that PyTorch forks there end at once.
# One process more for the first: one of them has all tests of a platform, and those mostly wait.
test: $(VENV)/dev
	@$(PYTEST) --numprocesses $(shell expr $(TEST_PROCESSES) + 1) tests
	@$(PYTEST) reader

test-reader: $(VENV)/dev
	@scripts/test-reader $(BIN)/python

quick: $(VENV)/dev
	@$(PYTEST) -m "not integration and not browser" tests
	@$(PYTEST) -m "not integration and not browser" reader

check: $(VENV)/dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

docs: $(VENV)/dev
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --clean
	@echo "open site/index.html"

format: $(VENV)/dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: $(VENV)/created
	@PATH=$(abspath $(BIN)):$$PATH scripts/lock

# Benchmarks: data, short results and the environments of peers lie in a folder. A peer without one is not measured.
BENCH ?= .bench
PEERS ?= $(abspath $(BENCH))/peers
bench bench-full: export DATASET_GROUPER_PYTHON ?= $(wildcard $(PEERS)/dataset_grouper/bin/python)
bench bench-full: export FORMATS_PYTHON ?= $(wildcard $(PEERS)/formats/bin/python)

bench: $(VENV)/dev
	@$(BIN)/python -m benchmarks --short $(BENCH)

bench-full: $(VENV)/dev
	@$(BIN)/python -m benchmarks --full $(BENCH)

bench-guard: $(VENV)/dev
	@$(BIN)/python -m benchmarks.guard $(BENCH) --tries 3

bench-page: $(VENV)/dev
	@$(BIN)/python scripts/render_benchmarks.py

bench-peers: $(PEERS)/dataset_grouper/made $(PEERS)/formats/made

$(PEERS)/dataset_grouper/made: benchmarks/peers/dataset_grouper.txt
	@scripts/make-venv $(PYTHON) $(@D)
	@$(@D)/bin/python -m pip install --disable-pip-version-check --quiet --require-hashes -r $<
	@touch $@

# PyTorch first, as the machine has it: see benchmarks/peers/README.md.
$(PEERS)/formats/made: benchmarks/peers/formats.txt
	@scripts/make-venv $(PYTHON) $(@D)
	@$(@D)/bin/python -m pip install --disable-pip-version-check --quiet torch==2.13.0
	@$(@D)/bin/python -m pip install --disable-pip-version-check --quiet --no-deps --require-hashes -r $<
	@touch $@

clean:
	rm -rf $(VENV) .demo site
