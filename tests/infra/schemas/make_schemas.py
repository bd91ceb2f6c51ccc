"""Makes the schema of Google's provider, in the form of `terraform providers schema -json`, without the provider.

    npm pack @cdktf/provider-google@16.12.1 && tar xzf cdktf-provider-google-16.12.1.tgz
    python make_schemas.py package/lib > google-6.50.0.json

It is read from the package that is generated from that schema; version 16.12.1 is of provider 6.50.0. Only the
resources that infra/terraform uses are kept. Which attributes the cloud sets where people do not, the package does not
tell: all that may be left out count as such.

prefect-2.json was written by hand, from the pages docs/resources and docs/data-sources of the repository of Prefect's
provider, which are generated from its schema: names, types, and what is required, optional or read-only.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

INFRA = Path(__file__).parents[3] / "infra" / "terraform"
PLAIN = {"string": "string", "number": "number", "boolean": "bool"}
_ENTRY = re.compile(
    r'^ +(\w+): \{\n +value: .*\n +isBlock: (\w+),\n +type: "(\w+)",\n +storageClassType: "(\w+)",', re.MULTILINE
)
_COMPUTED = re.compile(r"^ +// (\w+) - computed: true, optional: true", re.MULTILINE)
_FIELD = re.compile(r"readonly (\w+)(\??): [\w.{]+(\[\])?")
_READER = re.compile(r"return this\.get(String|Number|Boolean)Attribute\('(\w+)'\)")


def used() -> list[str]:
    """The kinds of resources in infra/terraform."""
    declared = re.compile(r'^resource "(google_\w+)"', re.MULTILINE)
    return sorted({name for path in INFRA.rglob("*.tf") for name in declared.findall(path.read_text())})


def _plain_type(nesting: str, of: str) -> Any:
    """`list` and `stringList` to ["list", "string"]."""
    if nesting == "simple":
        return PLAIN[of]
    element = re.sub(r"(List|Set|Map)$", "", of)
    return [nesting, PLAIN[element]]


class Google:
    """One resource of the package."""

    def __init__(self, folder: Path) -> None:
        files = sorted(folder.rglob("*.js"))
        self.code = "\n".join(each.read_text() for each in files)
        self.types = "\n".join(each.with_suffix(".d.ts").read_text() for each in files)

    def _block(self, body: str, struct: str, code: str) -> dict:
        """`body` writes what people set, `code` reads all."""
        attributes: dict[str, Any] = {}
        blocks: dict[str, Any] = {}
        as_attributes = set(_COMPUTED.findall(code))
        for name, is_block, nesting, of in _ENTRY.findall(body):
            if is_block == "true" and name not in as_attributes:
                blocks[name] = self._nested(name, nesting, of, struct)
            elif is_block == "true":
                attributes[name] = {"type": self._object(nesting, of), "optional": True, "computed": True}
            elif self._is_required(name, struct):
                attributes[name] = {"type": _plain_type(nesting, of), "required": True}
            else:  # the package does not tell which of these the cloud sets where people do not
                attributes[name] = {"type": _plain_type(nesting, of), "optional": True, "computed": True}
        for kind, name in _READER.findall(code):
            attributes.setdefault(name, {"type": PLAIN[kind.lower()], "computed": True})
        return {"attributes": attributes} | ({"block_types": blocks} if blocks else {})

    def _field(self, name: str, struct: str) -> tuple[bool, bool]:
        """Whether it must be there, and whether there may be many."""
        [interface] = re.findall(
            rf"^export interface {struct}(?:Config)? .*?^\}}", self.types, re.MULTILINE | re.DOTALL
        )
        fields = {match[1].lower(): match for match in _FIELD.finditer(interface)}  # they are called blockSize there
        _, optional, many = fields[name.replace("_", "")].groups()
        return not optional, bool(many)

    def _is_required(self, name: str, struct: str) -> bool:
        return self._field(name, struct)[0]

    def _struct(self, struct: str) -> tuple[str, str]:
        """What its function writes, and the class that tells its flags."""
        name = struct[0].lower() + struct[1:]
        [body] = re.findall(rf"^function {name}ToHclTerraform\(.*?^\}}", self.code, re.M | re.S)
        [flags] = re.findall(rf"^class {struct}OutputReference .*?^\}}", self.code, re.M | re.S)
        return body, flags

    def _nested(self, name: str, nesting: str, of: str, parent: str) -> dict:
        struct = re.sub(r"List$", "", of)
        body, code = self._struct(struct)
        block = {"nesting_mode": "single" if nesting == "struct" else nesting, "block": self._block(body, struct, code)}
        if block["nesting_mode"] == "single":
            return block
        is_required, is_many = self._field(name, parent)
        return block | ({"min_items": 1} if is_required else {}) | ({} if is_many else {"max_items": 1})

    def _object(self, nesting: str, of: str) -> Any:
        """A list of objects that is given as an attribute."""
        struct = re.sub(r"List$", "", of)
        body, code = self._struct(struct)
        inner = self._block(body, struct, code)
        return [nesting, ["object", {name: about["type"] for name, about in inner["attributes"].items()}]]

    def schema(self, kind: str) -> dict:
        [name] = re.findall(r"^class (\w+) extends cdktf\.TerraformResource \{", self.code, re.MULTILINE)
        assert name.lower() == kind.replace("_", ""), f"{kind} is not in {name}"
        [code] = re.findall(rf"^class {name} extends .*?^\}}", self.code, re.MULTILINE | re.DOTALL)
        return {"version": 0, "block": self._block(code[code.index("synthesizeHclAttributes") :], name, code)}


def google(library: Path) -> dict[str, Any]:
    """The whole schema."""
    names = [(kind, kind.removeprefix("google_")) for kind in used()]
    resources = {kind: Google(library / name.replace("_", "-")).schema(name) for kind, name in names}
    settings = {name: {"type": "string", "optional": True} for name in ("project", "region", "zone")}
    provider = {"version": 0, "block": {"attributes": settings}}
    return {"provider": provider, "resource_schemas": resources, "data_source_schemas": {}}


def lines(schemas: dict[str, Any]) -> str:
    """JSON with a line for each resource."""
    parts = [f'"{name}": {json.dumps(about, sort_keys=True)}' for name, about in schemas["resource_schemas"].items()]
    rest = json.dumps({name: about for name, about in schemas.items() if name != "resource_schemas"})
    return rest[:-1] + ',\n"resource_schemas": {\n' + ",\n".join(parts) + "\n}}\n"


if __name__ == "__main__":
    sys.stdout.write(lines(google(Path(sys.argv[1]))))
