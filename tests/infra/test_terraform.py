"""infra/terraform is whole: it parses, is in form, and everything it speaks of is there.

That Terraform accepts it, and AWS, is not shown here: tests need neither. `make lint` asks a Terraform,
where there is one, about the form.
"""

import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.infra.form import problems
from tests.infra.hcl import FILES, FOLDER, Module, module, references

TEXTS = [*FILES, *FOLDER.glob("*.example")]


def undeclared(found: Module) -> set[str]:
    """What is spoken of and not there."""
    return found.used - found.declared.keys()


def unused(found: Module) -> set[str]:
    """What is there for others, and nobody asks for it."""
    asked = {at for at in found.declared if at.startswith(("var.", "local.", "data."))}
    return asked - found.used


def circle(found: Module) -> list[str] | None:
    """Things that need each other, so that Terraform could make none of them first."""
    needs = {at: set(references(body)) for at, body in found.declared.items() if not at.startswith("var.")}
    try:
        list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        return list(error.args[1])
    return None


class TestReferences:
    """Names that one file takes from another."""

    def test_everything_spoken_of_is_declared(self) -> None:
        assert not undeclared(module())

    def test_every_variable_local_and_data_source_is_used(self) -> None:
        assert not unused(module())

    def test_nothing_waits_for_itself(self) -> None:
        assert circle(module()) is None
        found = Module()
        found.add('locals {\n  a = local.b\n}\n\nresource "aws_vpc" "main" {\n  tags = { a = local.a }\n}\n')
        assert circle(found) is None
        found.add("locals {\n  b = aws_vpc.main.id\n}\n")
        assert set(circle(found) or []) == {"local.a", "local.b", "aws_vpc.main"}

    def test_these_tests_see_what_is_missing(self) -> None:
        found = Module()
        found.add(
            'variable "a" {}\nlocals {\n  b = [for x in local.c : "${var.d}-${x}"]\n}\n'
            'resource "aws_vpc" "main" {\n  tags = { Name = "${data.aws_region.here.name}-local.e" }\n}\n'
        )
        assert undeclared(found) == {"local.c", "var.d", "data.aws_region.here"}
        assert unused(found) == {"var.a", "local.b"}

    def test_a_name_comes_once(self) -> None:
        found = Module()
        with pytest.raises(ValueError, match=r"local\.a is declared twice"):
            found.add("locals {\n  a = 1\n}\n\nlocals {\n  a = 2\n}\n")


class TestForm:
    """The rules of `terraform fmt`, as far as we know them by ourselves."""

    @pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
    def test_files_are_in_form(self, path: Path) -> None:
        assert not problems(path.read_text())

    @pytest.mark.parametrize(
        "text",
        [
            "a  = 1\n",
            "a = 1\nbc = 2\n",
            "a =  1\n",
            "a {\n   b = 1\n}\n",
            "a {\n\tb = 1\n}\n",
            "a {\n  b = 1 \n}\n",
            "a {\n  b = [\n  1,\n  ]\n}\n",
            "a {\n}\nb {\n}\n",
            "a = 1\n\n\nb = 1\n",
            "a = f(b,  c)\n",
            "a  = 1 # one\nbc = 22 # two\n",
            "a = 1",
        ],
    )
    def test_what_is_not_in_form_is_seen(self, text: str) -> None:
        assert problems(text)


class TestVersions:
    """A deployment of next year is the same as today's."""

    def test_terraform_and_every_provider_are_pinned(self) -> None:
        assert re.fullmatch(r">= \d+\.\d+", module().terraform["required_version"])
        providers = module().terraform["required_providers"][0]
        kinds = {at.removeprefix("data.").partition("_")[0] for at in module().declared if "_" in at}
        assert providers.keys() == kinds & {"aws", "random", "tls", "archive", "http", "null"}
        for provider in providers.values():
            assert re.fullmatch(r"~> \d+\.\d+", provider["version"])


class TestVariables:
    """What whoever deploys can change."""

    def test_each_is_described_and_typed(self) -> None:
        for name, body in module().of_type("var").items():
            assert body["description"].endswith("."), name
            assert body.get("type"), name

    def test_each_but_a_switch_is_checked(self) -> None:
        checked = {name for name, body in module().of_type("var").items() if body.get("validation")}
        switches = {name for name, body in module().of_type("var").items() if "bool" in str(body["type"])}
        assert module().of_type("var").keys() == checked | switches

    def test_the_example_gives_what_has_no_default(self) -> None:
        example = (FOLDER / "terraform.tfvars.example").read_text()
        given = set(re.findall(r"^(\w+) ", example, re.MULTILINE))
        variables = module().of_type("var")
        needed = {name.removeprefix("var.") for name, body in variables.items() if "default" not in body}
        assert needed <= given
        assert {f"var.{name}" for name in given} <= variables.keys()

    def test_outputs_say_what_they_are(self) -> None:
        assert all(body["description"].endswith(".") for body in module().outputs.values())


class TestSecrecy:
    """What must not be in a repository is not."""

    def test_states_and_answers_are_ignored(self) -> None:
        ignored = (FOLDER / ".gitignore").read_text().split()
        assert {"*.tfstate", "*.tfstate.*", "terraform.tfvars", "backend.hcl", ".terraform/"} <= set(ignored)

    def test_no_account_and_no_key_is_named(self) -> None:
        for path in TEXTS:
            numbers = set(re.findall(r"\b\d{12}\b", path.read_text()))
            assert numbers <= {"123456789012", "0123456789ab"}, path.name
            assert not re.search(
                r"AKIA|BEGIN .*PRIVATE KEY|xox[a-z]-|\d{6,}:[A-Za-z0-9_-]{30}", path.read_text()
            )
