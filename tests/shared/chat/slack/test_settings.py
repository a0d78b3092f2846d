"""How Slack is set up."""

import pytest
from pydantic import ValidationError

from shared.settings import COMMANDS, Settings

SECRETS = ("bot_token", "app_token", "signing_secret", "client_id", "client_secret")


def test_without_settings_there_is_no_slack() -> None:
    settings = Settings(_env_file=None)
    assert (settings.slack_bot_token, settings.slack_client_id) == ("", "")
    assert settings.slack_api_url == "https://slack.com/api/"
    assert settings.slack_commands == COMMANDS


def test_secrets_are_not_shown() -> None:
    settings = Settings(_env_file=None, **{f"slack_{name}": f"s3cret-{name}" for name in SECRETS})
    assert "s3cret" not in repr(settings)


def test_commands_can_have_other_names() -> None:
    settings = Settings(_env_file=None, slack_commands="/fetch, /captions, /ferry-status")
    assert settings.slack_commands == ("/fetch", "/captions", "/ferry-status")
    assert Settings(_env_file=None, slack_commands="").slack_commands == COMMANDS


@pytest.mark.parametrize(
    "names", ["/get", "/get,/get,/status", "/get,/subs,/ferry", "/Get,/subs,/status", "a,b,c"]
)
def test_commands_that_slack_or_we_could_not_tell_apart_are_refused(names: str) -> None:
    with pytest.raises(ValidationError, match="three different names"):
        Settings(_env_file=None, slack_commands=names)
