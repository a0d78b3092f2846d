"""The container definitions, which Terraform passes on unread, against the very model of AWS's API."""

import re
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from shared.tracing import ADDRESSES
from tests.infra.hcl import fields, module, parts
from tests.infra.tasks import local

TASK = module().declared["aws_ecs_task_definition.process"]
WHOLE = {"local.stop_timeout": 120, "local.port": 8080}  # expressions that are numbers; others are texts


def value(text: str) -> Any:
    """What an expression would be like: a branch that says something, one element of a loop, a text."""
    if choice := re.fullmatch(r"each\.key == \"\w+\" \? (.+) : (.+)", text):
        return value(next(branch for branch in choice.groups() if branch not in ("null", "[]")))
    if loop := re.fullmatch(r"\[for [\w, ]+ in .+? : (\{.+\})\]", text):
        return [value(loop[1])]
    if text.startswith("{"):
        return {name: value(expression) for name, expression in fields(text).items()}
    if text.startswith("concat("):
        return value(parts(text[len("concat(") : -1])[0])
    if text.startswith("["):
        return [value(part) for part in parts(text[1:-1])]
    if text in ("true", "false"):
        return text == "true"
    if text.isdigit():
        return int(text)
    return WHOLE.get(text, text.strip('"'))


@pytest.fixture(scope="module")
def container() -> dict[str, Any]:
    """The container of our process."""
    text = TASK["container_definitions"]
    before, after = "${jsonencode(concat(", "))}"
    assert text.startswith(before) and text.endswith(after)
    ours, _ = parts(text[len(before) : -len(after)])
    (found,) = value(ours)
    return dict(found)


@pytest.fixture(scope="module")
def collector() -> dict[str, Any]:
    """The one beside it, where traces are wanted."""
    (found,) = value(local("collectors"))
    return dict(found)


def mistakes(container: dict[str, Any]) -> str:
    """What the API's model says against a container."""
    model = botocore.session.Session().get_service_model("ecs").operation_model("RegisterTaskDefinition")
    request = {"family": "linkferry", "containerDefinitions": [container]}
    return str(ParamValidator().validate(request, model.input_shape).generate_report())


def test_the_api_knows_every_word_of_them(container: dict[str, Any], collector: dict[str, Any]) -> None:
    assert mistakes(container) == ""
    assert mistakes(collector) == ""
    assert {
        "healthCheck",
        "secrets",
        "environment",
        "linuxParameters",
        "logConfiguration",
    } <= container.keys()


def test_a_wrong_word_is_seen(container: dict[str, Any]) -> None:
    parameters = {**container["linuxParameters"], "tmpFs": []}
    assert "tmpFs" in mistakes({**container, "linuxParameters": parameters})


def test_it_is_confined(container: dict[str, Any]) -> None:
    assert container["readonlyRootFilesystem"] is True
    assert container["linuxParameters"]["capabilities"] == {"drop": ["ALL"]}
    assert "privileged" not in container and "user" not in container  # the image's number
    volumes = {volume["name"] for volume in TASK["volume"]}
    assert {mount["sourceVolume"] for mount in container["mountPoints"]} == volumes == {"data"}
    assert [mount["containerPath"] for mount in container["linuxParameters"]["tmpfs"]] == ["/tmp"]


def test_settings_and_secrets_are_named_as_the_program_reads_them(container: dict[str, Any]) -> None:
    assert {entry["name"] for entry in container["environment"]} == {"LINKFERRY_${name}"}
    assert {entry["name"] for entry in container["secrets"]} == {"LINKFERRY_${name}"}


def test_traces_go_where_the_program_looks(collector: dict[str, Any]) -> None:
    (given,) = value(local("tracing_environment"))
    assert given["name"] in ADDRESSES
    assert '"localhost:4318"' in collector["environment"][0]["value"]
    assert "http://localhost:4318" in str(local("tracing_environment"))
