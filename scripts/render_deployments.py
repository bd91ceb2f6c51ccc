"""Writes a deployment for each spec of specs/ into prefect.yaml, below the line that says so.

Run it after a spec has changed: make deployments
"""

from __future__ import annotations

import sys
import textwrap
import zlib
from pathlib import Path
from typing import Any

import yaml

from specs import load_spec

ROOT = Path(__file__).resolve().parents[1]
PREFECT_FILE = ROOT / "prefect.yaml"
MARKER = "  # From here on rendered from specs/ by `make deployments`; to change something, change the spec.\n"

_TEXT = "tag:yaml.org,2002:str"
_ENTRY = """
  - <<: *build
    name: {name}
    tags: [groupstream, {name}]
    schedules:
      - {{slug: weekly, cron: "{cron}", timezone: UTC, active: false}}
    description: |
{description}
    parameters:
      spec:
{fields}"""

_DESCRIPTION = """
{says}

| | |
|---|---|
| reads | {source} |
| groups by | {partitioner} |
| licence | {license} |

The schedule is paused: switch it on to the right, and a new version is published whenever the source has changed.
**Run → Quick run** builds it now, **Custom run** with other values for once. To change it for good, change
`specs/{file}`, then: `make deployments`, `groupstream deploy`.
"""


def rendered(prefect_file: str, specs: list[Path]) -> str:
    """The file with a deployment for each spec."""
    kept = prefect_file.partition(MARKER)[0].rstrip("\n")
    return f"{kept}\n\n{MARKER}{''.join(map(_entry, specs))}"


def spec_files() -> list[Path]:
    """The specs of real datasets, and the demo."""
    return sorted((ROOT / "specs").glob("*.yaml"))


class _Dumper(yaml.SafeDumper):
    """YAML with text that ends in a line break as the specs have it: after a `>`."""


_Dumper.add_representer(
    str, lambda dumper, text: dumper.represent_scalar(_TEXT, text, style=">" if text.endswith("\n") else None)
)


def _entry(path: Path) -> str:
    spec = load_spec(path)  # what is no spec is no deployment
    fields = yaml.safe_load(path.read_text(encoding="utf-8"))
    if "runner" in fields:
        fields["runner"] = {"kind": spec.runner.kind} | fields["runner"]  # the form's schema has to know which it is
    name = fields["name"]
    description = _DESCRIPTION.format(
        says=textwrap.fill(fields.get("description", name).strip(), 110),
        source=_in_short(fields["source"]),
        partitioner=_in_short(fields["partitioner"]),
        license=fields.get("license", "see the source"),
        file=path.name,
    )
    shown = yaml.dump(fields, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return _ENTRY.format(
        name=name, cron=_cron(name), description=_indented(description, 6), fields=_indented(shown, 8) + "\n"
    )


def _in_short(fields: dict[str, Any]) -> str:
    """Such as `huggingface`: dataset allenai/c4, config en."""
    more = ", ".join(f"{key} {value}" for key, value in fields.items() if key != "kind" and isinstance(value, str))
    return f"`{fields['kind']}`" + (f": {more}" if more else "")


def _cron(name: str) -> str:
    """Sunday between two and six, for each dataset at a time of its own, so that they do not all begin at once."""
    hour, minute = divmod(zlib.crc32(name.encode()) % 240, 60)
    return f"{minute} {2 + hour} * * 0"


def _indented(text: str, num_spaces: int) -> str:
    return textwrap.indent(text.strip("\n"), " " * num_spaces)


if __name__ == "__main__":
    before = PREFECT_FILE.read_text(encoding="utf-8")
    after = rendered(before, spec_files())
    if "--check" in sys.argv:
        sys.exit(None if after == before else f"{PREFECT_FILE.name} is not what specs/ say; run: make deployments")
    PREFECT_FILE.write_text(after, encoding="utf-8")
