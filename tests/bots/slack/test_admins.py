"""Who may act for others."""

from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bots.slack.admins import Admins
from bots.slack.deeds import Speaker, Way


@pytest.mark.parametrize(("told", "is_admin"), [
    ({"is_admin": True}, True),
    ({"is_owner": True, "team_id": "T1"}, True),
    ({"is_admin": True, "team_id": "E1", "enterprise_user": {"teams": ["T0", "T1"]}}, True),
    ({"is_admin": True, "team_id": "T2"}, False),
    ({"is_admin": True, "team_id": "T2", "enterprise_user": {"teams": ["T2"]}}, False),
    ({"is_admin": False, "team_id": "T1"}, False),
])  # fmt: skip
async def test_admins_are_those_of_the_workspace_not_guests_from_another(
    told: dict[str, Any], is_admin: bool
) -> None:
    class Web(AsyncWebClient):
        async def users_info(self, **_: Any) -> Any:
            return {"user": told}

    async def clients(team: str) -> AsyncWebClient:
        return Web()

    assert await Admins(clients).is_admin(Speaker("T1", "C1", "U1", Way.BUTTON)) is is_admin
