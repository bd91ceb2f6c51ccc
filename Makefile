# What a newcomer can guess: setup, demo, test, check. See README.md.

PYTHON ?= python3.11
VENV ?= .venv
BIN = $(VENV)/bin
PIP_INSTALL = $(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps
PYTEST = $(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile
TEST_PROCESSES ?= 2
unexport PYTHONDONTWRITEBYTECODE  # every start of Prefect would compile it anew

.PHONY: help setup demo up deployments test test-reader quick check docs format lock clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    build a dataset from Python's own standard library and look at it"
	@echo "make up      run the platform on this machine: server, worker, deployments; Ctrl-C ends it"
	@echo "make test    run every test"
	@echo "make test-reader  run the tests of the light library, installed alone"
	@echo "make quick   run the tests that take seconds"
	@echo "make check   lint, types, import layers"
	@echo "make docs    build the site of the documentation into site/"
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

clean:
	rm -rf $(VENV) .demo site
