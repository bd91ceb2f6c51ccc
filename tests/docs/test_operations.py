"""The operations guide has an entry for all that it promises, and quotes what the code says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import yaml
from prefect.client.schemas.objects import TERMINAL_STATES

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "operations"
PACKAGES = (
    *("cards", "catalog", "commands", "flows", "lifecycle", "orchestration", "partitioners", "pipelines"),
    *("reader/groupstream", "registry", "sources", "specs", "tasks", "training", "validation"),
)
AUTOMATIONS = yaml.safe_load((ROOT / "automations.yaml").read_text(encoding="utf-8"))["automations"]


def rows(page: str, title: str) -> list[list[str]]:
    """The cells of all tables between a title and the next one of its level, without their heads."""
    text = (GUIDE / page).read_text(encoding="utf-8")
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, f"{page} has no title {title!r}"
    lines = [line for line in found[1].splitlines() if line.startswith("|")]
    rules = [number for number, line in enumerate(lines) if line.startswith("|---")]
    kept = [line for number, line in enumerate(lines) if not {number, number + 1} & set(rules)]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in kept]


def quoted(cells: list[str]) -> set[str]:
    """All that stands in backticks."""
    return set(re.findall(r"`([^`]+)`", " ".join(cells)))


def column(table: list[list[str]], index: int) -> list[str]:
    return [row[index] for row in table]


@cache
def trees() -> tuple[ast.Module, ...]:
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return tuple(ast.parse(path.read_text(encoding="utf-8")) for path in files)


def texts() -> Iterator[str]:
    """All texts of the code; one with fields comes in its parts."""
    for tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


@cache
def code() -> str:
    return "\n".join(texts())


def error_classes() -> set[str]:
    """Those that come, however far, from GroupstreamError."""
    bases = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    found, size = {"GroupstreamError"}, 0
    while size < len(found):
        size = len(found)
        found |= {name for name, above in bases.items() if above & found}
    return {name for name in found - {"GroupstreamError"} if not name.startswith("_")}


def test_every_automation_has_an_entry() -> None:
    table = rows("alarms.md", "Who told you: the automations")
    assert quoted(column(table, 0)) == {each["name"] for each in AUTOMATIONS}


def test_every_final_state_has_an_entry() -> None:
    finals = {state.value.capitalize() for state in TERMINAL_STATES}  # Completed, Failed, ...
    told = next(each for each in AUTOMATIONS if each["name"] == "groupstream-failures")["trigger"]["expect"]
    states = set(column(rows("alarms.md", "How a run ended"), 0))
    assert states == finals | {name.rpartition(".")[2] for name in told}


def test_every_class_of_errors_has_an_entry() -> None:
    table = rows("alarms.md", "Why a run failed")
    assert quoted(column(table, 0)) == error_classes()
    assert {"WorkerError", "RegistryError"} <= error_classes(), "direct ones, of the reader and of the platform"
    assert "ConflictError" in error_classes(), "one of a second level"


def test_every_finding_of_the_doctor_has_an_entry() -> None:
    known = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/doctor.md").read_text(encoding="utf-8"), re.MULTILINE))
    listed = re.findall(r"`(\w+)`", " ".join(column(rows("alarms.md", "maintain has failed"), 0)))
    assert sorted(listed) == sorted(known)


def test_what_the_doctor_does_not_mend_is_what_people_have_to_do() -> None:
    page = (ROOT / "docs/doctor.md").read_text(encoding="utf-8")
    remaining = set(re.findall(r"^\| `(\w+)` \|.*\*\*remains\*\*", page, re.MULTILINE))
    with_a_way_out = {row[0].strip("`") for row in rows("alarms.md", "maintain has failed") if len(row) == 3}
    assert with_a_way_out == remaining


def test_what_the_guide_quotes_is_in_the_code() -> None:
    quotes = quoted(column(rows("alarms.md", "Why a run failed"), 1))
    quotes |= quoted(column(rows("alarms.md", "What the log says"), 0))
    assert len(quotes) > 25
    for quote in quotes:
        for part in filter(None, map(str.strip, quote.split("…"))):
            assert part in code(), f"alarms.md quotes {part!r}, which nothing says"


def test_settings_has_every_variable_that_is_read_and_no_other() -> None:
    read = {text for text in texts() if re.fullmatch(r"GROUPSTREAM_[A-Z_]+", text)}
    listed = column(_first_table(), 0)
    assert sorted(listed) == sorted(f"`{name}`" for name in read)
    assert all(row[2] for row in _first_table()), "each has a default"


def _first_table() -> list[list[str]]:
    text = (GUIDE / "settings.md").read_text(encoding="utf-8").partition("\n## ")[0]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if "| `G" in line]


def test_settings_has_the_variables_of_the_compose_file_with_their_defaults() -> None:
    compose = (ROOT / "infra/compose.yaml").read_text(encoding="utf-8")
    defaults = dict(re.findall(r"\$\{(GROUPSTREAM_\w+):-([^}]*)\}", compose))
    assert set(defaults) == set(re.findall(r"\$\{(GROUPSTREAM_\w+)", compose))
    table = rows("settings.md", "Of the compose file")
    assert {row[0].strip("`"): row[2].strip("`") for row in table} == defaults


def test_no_page_names_a_variable_that_nothing_reads() -> None:
    known = quoted(column(_first_table(), 0)) | quoted(column(rows("settings.md", "Of the compose file"), 0))
    known |= {"GROUPSTREAM_SCHEDULES", "GROUPSTREAM_TESTS"}  # of the tests, which some pages are about
    for page in [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]:
        named = set(re.findall(r"\bGROUPSTREAM_[A-Z_]*[A-Z]\b", page.read_text(encoding="utf-8")))
        assert named <= known, f"{page.name} names {named - known}"


def test_the_table_of_3_am_leads_to_what_is_there() -> None:
    page = (GUIDE / "index.md").read_text(encoding="utf-8")
    assert {"alarms.md", "upgrade.md", "credentials.md", "costs.md", "backup.md"} <= set(
        re.findall(r"\(([\w-]+\.md)(?:#[\w-]+)?\)", page)
    )
