"""The canonical form of HCL, as far as we check it by ourselves.

`terraform fmt` cannot be had where tests run. These are its rules for what stands in infra/terraform, written
anew: the formatter that it uses (hclwrite, of HashiCorp's HCL library) left the files as they are.
"""

import re
from itertools import groupby

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_ASSIGNED = re.compile(r"^(\s*[\w.\"-]+)(\s*)=(?![=>])(\s*)")


def problems(text: str) -> list[str]:
    """What is not in the canonical form: one sentence each, with the number of the line."""
    lines = text.split("\n")
    found = [*_spaces(lines), *_indents(lines), *_columns(lines)]
    if not text.endswith("\n") or text.endswith("\n\n"):
        found.append("the file does not end with one line break")
    return found


def _code(line: str) -> str:
    """The line without strings and comments, every other character in its place."""
    bare = _STRING.sub(lambda match: "_" * len(match[0]), line)
    return re.sub(r"(#|//).*", "", bare)


def _net(line: str) -> int:
    code = _code(line)
    return sum(map(code.count, "([{")) - sum(map(code.count, ")]}"))


def _spaces(lines: list[str]) -> list[str]:
    found = []
    for number, line in enumerate(lines, 1):
        if "\t" in line or line != line.rstrip():
            found.append(f"{number}: a tab, or blanks at the end")
        if number > 1 and not line and not lines[number - 2] and number < len(lines):
            found.append(f"{number}: a second empty line")
        if re.search(r"\S  +[^\s#=]", re.sub(r"^(\s*\S+) +=", r"\1=", _code(line))):
            found.append(f"{number}: more than one blank inside")
        if _code(line) == "}" and number < len(lines) - 1 and lines[number]:
            found.append(f"{number}: no empty line after a block")
    return found


def _indents(lines: list[str]) -> list[str]:
    """Two blanks for each line that opens more than it closes, however much more."""
    found, open_ones = [], list[int]()
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        net = _net(line)
        closing = -net
        while closing > 0 and open_ones:
            step = min(closing, open_ones[-1])
            closing -= step
            open_ones[-1] -= step
            if not open_ones[-1]:
                open_ones.pop()
        if len(line) - len(line.lstrip()) != 2 * len(open_ones):
            found.append(f"{number}: not indented by {2 * len(open_ones)}")
        if net > 0:
            open_ones.append(net)
    return found


def _columns(lines: list[str]) -> list[str]:
    """`=`, and comments behind code, stand below each other in lines that follow each other."""
    found = []
    numbered = list(enumerate(lines, 1))
    for is_assigned, run in groupby(numbered, lambda pair: _is_assignment(pair[1])):
        if is_assigned:
            found += _unaligned(list(run))
    for has_comment, run in groupby(numbered, lambda pair: _comment_at(pair[1]) is not None):
        places = {number: _comment_at(line) for number, line in run} if has_comment else {}
        if len(set(places.values())) > 1:
            found.append(f"{min(places)}: comments that do not stand below each other")
    return found


def _is_assignment(line: str) -> bool:
    """An attribute whose value is whole on its line; others are not aligned."""
    return _ASSIGNED.match(line) is not None and _net(line) == 0


def _unaligned(run: list[tuple[int, str]]) -> list[str]:
    matches = [(number, match) for number, line in run if (match := _ASSIGNED.match(line))]
    column = max(len(match[1]) for _, match in matches) + 1
    return [
        f"{number}: its = is not in column {column + 1} with one blank behind it"
        for number, match in matches
        if len(match[1] + match[2]) != column or match[3] != " "
    ]


def _comment_at(line: str) -> int | None:
    """The column of a comment behind code."""
    bare = _STRING.sub(lambda match: "_" * len(match[0]), line)
    at = bare.find("#")
    return at if at > 0 and bare[:at].strip() else None
