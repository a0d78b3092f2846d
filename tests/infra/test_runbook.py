"""docs/aws.md speaks of what there is."""

import re
from pathlib import Path

from typer.main import get_command

from linkferry.cli import app
from shared.settings import Settings
from tests.infra.hcl import FOLDER, module
from tests.infra.tasks import local

ROOT = FOLDER.parents[1]
PAGE = (ROOT / "docs" / "aws.md").read_text()


def alarm_names() -> set[str]:
    """Every alarm's, without the deployment's name before it."""
    names = set()
    for body in module().of_type("aws_cloudwatch_metric_alarm").values():
        ending = body["alarm_name"].removeprefix("${var.name}-")
        group = str(body.get("for_each", "")).removeprefix("${local.").removesuffix("}")
        names |= {ending.replace("${each.key}", key) for key in local(group)} if group else {ending}
    return names


def test_every_alarm_says_what_to_do() -> None:
    table = PAGE.partition("## Alarms")[2].partition("\n## ")[0]
    assert set(re.findall(r"`([a-z]+-[a-z]+)`", table)) == alarm_names()


def test_alarms_have_different_names() -> None:
    bodies = module().of_type("aws_cloudwatch_metric_alarm").values()
    groups = [str(body.get("for_each", "one")).removeprefix("${local.").removesuffix("}") for body in bodies]
    assert len(alarm_names()) == sum(1 if group == "one" else len(local(group)) for group in groups)


def test_its_commands_are_commands_of_the_program() -> None:
    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    named = set(re.findall(r"task\.sh worker ([a-z-]+)", PAGE)) | {
        "migrate",
        "health",
        "bots",
        "web",
        "worker",
    }
    assert {"doctor", "jobs", "dead", "slack-manifest"} <= named <= known


def test_its_variables_outputs_and_settings_exist() -> None:
    variables = {at.removeprefix("var.") for at in module().of_type("var")}
    assert set(re.findall(r"-var (\w+)=", PAGE)) <= variables
    assert set(re.findall(r"^`?(\w+) = [\[{\"t]", PAGE, re.MULTILINE)) <= variables
    assert set(re.findall(r"terraform output (?:-raw )?(\w+)", PAGE)) <= module().outputs.keys()
    settings = {name.upper() for name in Settings.model_fields}
    said = set(re.findall(r"`(?:LINKFERRY_)?([A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+)`", PAGE))
    assert said <= settings
    assert len(said) > 4


def test_what_it_replaces_and_leads_to_is_there() -> None:
    for address in re.findall(r"-(?:replace|target)='?([\w.]+)", PAGE) + re.findall(
        r"state (?:rm|show) ((?:aws_\w+\.\w+ ?)+)", PAGE
    ):
        assert set(address.split()) <= module().declared.keys()
    for link in re.findall(r"\]\(([^)#]+)", PAGE):
        assert (ROOT / "docs" / link).exists(), link
    files = PAGE.partition("One idea a file:")[2].partition("\n\n")[0]
    others = {"versions", "variables", "outputs"}
    assert set(re.findall(r"`(\w+)`", files)) | others == {path.stem for path in FOLDER.glob("*.tf")}


def test_the_image_is_what_the_tasks_start() -> None:
    image = (ROOT / "Dockerfile").read_text()
    containers = module().declared["aws_ecs_task_definition.process"]["container_definitions"]
    (folder,) = re.findall(r'containerPath = "(/data)"', containers)
    assert local("environment").count(f'DATA_DIR = "{folder}"') == 1
    # An empty volume takes over the folder's owner only where the image declares it.
    assert re.search(rf"^VOLUME {folder}$", image, re.MULTILINE)
    assert re.search(r"^USER \d+:\d+$", image, re.MULTILINE)
    assert 'entryPoint = ["linkferry"]' in containers
    assert 'ENTRYPOINT ["linkferry"]' in image
    assert 'command = ["CMD", "linkferry", "health"]' in containers
    assert {"LOCK", "YT_DLP"} <= set(re.findall(r"^ARG (\w+)", image, re.MULTILINE))
    assert Path(folder) in {Path(found) for found in re.findall(r"HOME=(\S+)", image)}
