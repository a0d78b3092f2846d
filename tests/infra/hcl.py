"""infra/terraform as a tree, and small questions to it. No Terraform runs here: expressions stay text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import hcl2
from hcl2.utils import SerializationOptions

FOLDER = Path(__file__).parents[2] / "infra" / "terraform"
FILES = sorted(FOLDER.glob("*.tf"))

_OPTIONS = SerializationOptions(with_comments=False, explicit_blocks=False, strip_string_quotes=True)
_REFERENCE = re.compile(r"(?<![\w.\"/-])((?:data\.)?(?:aws|random|tls)_\w+\.\w+|(?:var|local)\.\w+)")


@dataclass
class Module:
    """What the files declare: bodies by address, such as `var.name`, `local.zones`, `aws_vpc.main`."""

    declared: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    terraform: dict[str, Any] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def add(self, text: str) -> None:
        """One more file. Raises lark's errors when it is no HCL, ValueError when something comes twice."""
        tree = hcl2.loads(text, serialization_options=_OPTIONS)
        for block in tree.get("variable", []):
            self._declare("var", block)
        for block in tree.get("locals", []):
            self._declare("local", block)
        for kind, before in (("resource", ""), ("data", "data.")):
            for block in tree.get(kind, []):
                for of, named in block.items():
                    self._declare(before + of, named)
        for block in tree.get("output", []):
            self.outputs |= block
        for block in tree.get("terraform", []):
            self.terraform |= block
        self.used |= set(references(tree))

    def _declare(self, before: str, named: dict[str, Any]) -> None:
        for name, body in named.items():
            address = f"{before}.{name}"
            if address in self.declared:
                raise ValueError(f"{address} is declared twice")
            self.declared[address] = body

    def of_type(self, kind: str) -> dict[str, Any]:
        """Bodies by address of one kind of resource, data source, variable or local value."""
        return {at: body for at, body in self.declared.items() if at.rpartition(".")[0] == kind}


@cache
def module() -> Module:
    """All files together, as Terraform reads them."""
    found = Module()
    for path in FILES:
        found.add(path.read_text())
    return found


def texts(tree: Any) -> Iterator[str]:
    """Every string in the tree, keys included."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield str(key)
            yield from texts(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from texts(value)
    elif isinstance(tree, str):
        yield tree


def references(tree: Any) -> Iterator[str]:
    """The address of everything that expressions in the tree speak of."""
    for text in texts(tree):
        for inner in _expressions(text):
            yield from _REFERENCE.findall(inner)


def _expressions(text: str) -> Iterator[str]:
    """The `${...}` of a string, whole; those inside of them are inside."""
    start = text.find("${")
    while start >= 0:
        end = _end_of(text, start + 1)
        yield text[start + 2 : end]
        start = text.find("${", end)


def _end_of(text: str, start: int) -> int:
    """Where the bracket that opens at `start` closes. Strings hold no lone brackets here."""
    depth = 0
    for at in range(start, len(text)):
        depth += (text[at] in "([{") - (text[at] in ")]}")
        if depth == 0:
            return at
    raise ValueError(f"a bracket does not close: {text}")


def parts(text: str) -> list[str]:
    """What stands between the commas of a list, an object or a call's arguments, outer brackets left off."""
    found, depth, quoted = [""], 0, False
    for char in text:
        quoted ^= char == '"'
        depth += (char in "([{") - (char in ")]}")
        if char == "," and depth == 0 and not quoted:
            found.append("")
        else:
            found[-1] += char
    return [part.strip() for part in found if part.strip()]


def fields(text: str) -> dict[str, str]:
    """The expressions of an object's text, `{a = b, c = d}`, by name."""
    assert text.startswith("{") and text.endswith("}"), text
    pairs = (part.partition(" = ") for part in parts(text[1:-1]))
    return {name: value for name, _, value in pairs}
