"""Whoever sets Slack up and forgets something is told what to do next: in the log, by the doctor, at once."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bots.platforms import slack_lacks
from bots.slack.manifest import as_yaml, manifest
from linkferry import slack_doctor
from linkferry.cli import app
from shared.errors import ConfigError
from shared.settings import Settings
from tests.bots.slack.conftest import chat_in, chatting, double, settings_for

SECRETS = (
    "slack_bot_token",
    "slack_app_token",
    "slack_signing_secret",
    "slack_client_id",
    "slack_client_secret",
)


def with_secrets(*names: str, **changes: Any) -> Settings:
    """Settings with these secrets and no others."""
    return Settings(_env_file=None, **{name: name for name in names}, **changes)


@pytest.mark.parametrize(("given", "named"), [
    ((), ""),
    (SECRETS[:1], "SLACK_APP_TOKEN"), (SECRETS[1:2], "SLACK_BOT_TOKEN"), (SECRETS[2:3], "SLACK_BOT_TOKEN"),
    (SECRETS[3:4], "SLACK_CLIENT_SECRET"), (SECRETS[4:], "SLACK_CLIENT_ID"), (SECRETS[3:], "SLACK_APP_TOKEN"),
    (SECRETS[:2], ""), (("slack_bot_token", "slack_signing_secret"), ""), (SECRETS[2:], ""),
])  # fmt: skip
def test_what_is_missing_is_named(given: tuple[str, ...], named: str) -> None:
    lacking = slack_lacks(with_secrets(*given))
    assert bool(lacking) == bool(named) and f"LINKFERRY_{named}" in (lacking or "LINKFERRY_")


async def test_a_start_with_half_of_the_tokens_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with double() as slack:
        settings = settings_for(tmp_path / "data", slack, slack_bot_token="")
        async with chatting(settings):
            assert "nobody is heard there. Set LINKFERRY_SLACK_BOT_TOKEN too" in caplog.text
        async with chatting(settings_for(tmp_path / "data", slack, slack_app_token="")):
            assert "nobody is heard there. Set LINKFERRY_SLACK_APP_TOKEN too" in caplog.text
        assert slack.token not in caplog.text and slack.app_token not in caplog.text


async def test_doctor_knows_the_tokens(tmp_path: Path) -> None:
    async with double() as slack:

        async def found(**changes: Any) -> str:
            finding = await slack_doctor.look(settings_for(tmp_path, slack, **changes))
            return f"{finding.mark}: {finding.found} {finding.advice}"

        assert (await found()).startswith("ok: @linkferry in ") and "Socket Mode" in await found()
        assert "by HTTP" in await found(slack_app_token="", slack_signing_secret="secret")
        assert "ok: off" in await found(slack_app_token="", slack_bot_token="")
        wrong = await found(slack_bot_token="xoxb-wrong")
        assert "note" in wrong and "(invalid_auth)" in wrong and "LINKFERRY_SLACK_BOT_TOKEN" in wrong
        swapped = await found(slack_app_token=slack.token)
        assert "note" in swapped and "LINKFERRY_SLACK_APP_TOKEN" in swapped
        assert "nobody is heard. Set LINKFERRY_SLACK_APP_TOKEN" in await found(slack_app_token="")
        assert "note: off. Set LINKFERRY_SLACK_BOT_TOKEN" in await found(slack_bot_token="")
        many = await found(slack_client_id="1.2", slack_client_secret="secret")
        assert many.startswith("ok: workspaces that install it, in Socket Mode")
        slack.fail_next("auth.test", retry_after=30)
        assert "refuses: ratelimited" in await found()
        nowhere = await found(slack_api_url="http://127.0.0.1:1/api/")
        assert "does not answer" in nowhere and "LINKFERRY_SLACK_API_URL" in nowhere


@pytest.mark.parametrize("variables", [{}, {"SLACK_CLIENT_ID": "1.2"}])
def test_a_manifest_with_an_address_needs_one_with_https(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)  # no .env there
    for name, value in variables.items():
        monkeypatch.setenv(f"LINKFERRY_{name}", value)
    command = ["slack-manifest", *(() if variables else ("--http",))]
    refused = CliRunner().invoke(app, command)
    assert isinstance(refused.exception, ConfigError) and "LINKFERRY_PUBLIC_URL" in str(refused.exception)
    monkeypatch.setenv("LINKFERRY_PUBLIC_URL", "https://ferry.example")
    printed = CliRunner().invoke(app, command)
    assert printed.output == as_yaml(manifest(Settings(_env_file=None), http=not variables))


@pytest.mark.parametrize("names", ["/get,/subs", "get,subs,status", "/get,/subs,/ferry"])
def test_wrong_names_of_commands_are_a_sentence(
    names: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LINKFERRY_SLACK_COMMANDS", names)
    refused = CliRunner().invoke(app, ["slack-manifest"])
    assert refused.exit_code == 2
    assert refused.output == (
        "linkferry: LINKFERRY_SLACK_COMMANDS: "
        "three different names such as /get,/subs,/status are needed, none is /ferry.\n"
    )


async def test_a_name_of_an_earlier_manifest_leads_to_the_new_ones(tmp_path: Path) -> None:
    async with (
        double() as slack,
        chatting(settings_for(tmp_path / "data", slack, slack_commands="/fetch,/subs,/stat")) as (
            parts,
            nudge,
            _,
        ),
    ):
        await slack.socket.connected()
        chat = chat_in(slack, parts, nudge)
        command = await chat.ann.runs("/get https://example.com/film", chat.channel)
        assert command.is_acked and not await chat.requests()
        shown = await chat.channel.shows("I am called something else by now", only_to=chat.ann)
        assert "/ferry help" in shown.text
