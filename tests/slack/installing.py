"""Who calls and where: auth.test, apps.connections.open, and installing by OAuth with rotating tokens."""

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.slack.call import Body, Call
from tests.slack.methods import method
from tests.slack.refusal import Refused, missing
from tests.slack.rooms import Team, User
from tests.slack.tokens import Token

if TYPE_CHECKING:
    from tests.slack.double import SlackDouble

LIFETIME = 12 * 3600  # seconds that a rotating token lives


@dataclass
class Grant:
    """A person pressed Allow; the code works once, for ten minutes."""

    team: Team
    user: User
    scopes: frozenset[str]
    made: float
    redirect_uri: str | None
    is_used: bool = False


class Installer:
    """Codes and refresh tokens. `rotates` makes bot tokens that expire."""

    def __init__(self, slack: "SlackDouble", *, rotates: bool = False) -> None:
        self.rotates = rotates
        self.for_organisation = False  # whether Allow is pressed for a whole Enterprise organisation
        self.grants: dict[str, Grant] = {}
        self.refreshes: dict[str, Token] = {}
        self._slack = slack

    def code(self, user: User, scopes: frozenset[str], redirect_uri: str | None = None) -> str:
        """What comes back to the app's redirect address when the person has pressed Allow."""
        code = f"{uuid.uuid4().int % 10**13}.{uuid.uuid4().hex}"
        self.grants[code] = Grant(user.team, user, scopes, self._slack.clock(), redirect_uri)
        return code

    def redeem(self, call: Call) -> Body:
        """A code for tokens."""
        grant = self.grants.get(call.text("code"))
        if grant is None or self._slack.clock() - grant.made > 600:
            raise Refused("invalid_code")
        if grant.is_used:
            raise Refused("code_already_used")
        if grant.redirect_uri is not None and grant.redirect_uri != call.text("redirect_uri"):
            raise Refused("bad_redirect_uri")
        grant.is_used = True
        return self._answer(grant.team, grant.scopes) | {"authed_user": {"id": grant.user.id}}

    def refresh(self, call: Call) -> Body:
        """A refresh token for new tokens; it works once, and the old bot token until it expires."""
        old = self.refreshes.pop(call.text("refresh_token"), None)
        if old is None or old.is_revoked:
            raise Refused("invalid_refresh_token")
        return self._answer(self._slack.world.teams[old.team_id], old.scopes)

    def _answer(self, team: Team, scopes: frozenset[str]) -> Body:
        token = Token(f"xoxb-{uuid.uuid4().hex}", "bot", team.id, scopes)
        answer: Body = {}
        if self.rotates:
            token.value = f"xoxe.{token.value}"
            token.expires_at = self._slack.clock() + LIFETIME
            refresh = f"xoxe-1-{uuid.uuid4().hex}"
            self.refreshes[refresh] = token
            answer = {"refresh_token": refresh, "expires_in": LIFETIME}
        self._slack.tokens[token.value] = token
        return answer | {
            "app_id": self._slack.app_id,
            "access_token": token.value,
            "token_type": "bot",
            "scope": ",".join(sorted(scopes)),
            "bot_user_id": team.bot_user_id,
            "team": None if self.for_organisation else {"id": team.id, "name": team.name},
            "enterprise": {"id": "E0LF0000001", "name": "All of us"} if self.for_organisation else None,
            "is_enterprise_install": self.for_organisation,
        }


@method("oauth.v2.access", kind="none")
async def oauth_v2_access(slack: "SlackDouble", call: Call) -> Body:
    """A code or a refresh token becomes a bot token."""
    if call.client[0] != slack.client_id:
        raise Refused("invalid_client_id")
    if call.client[1] != slack.client_secret:
        raise Refused("bad_client_secret")
    if call.text("grant_type") == "refresh_token":
        return slack.installer.refresh(call)
    if not call.text("code"):
        raise missing("code")
    return slack.installer.redeem(call)


@method("auth.test")
async def auth_test(slack: "SlackDouble", call: Call) -> Body:
    """Whose token this is."""
    team = slack.world.teams[call.token.team_id]
    return {
        "url": f"https://{team.domain}.slack.com/",
        "team": team.name,
        "user": slack.world.users[team.bot_user_id].login,
        "team_id": team.id,
        "user_id": team.bot_user_id,
        "bot_id": team.bot_id,
        "is_enterprise_install": False,
    }


@method("auth.revoke")
async def auth_revoke(slack: "SlackDouble", call: Call) -> Body:
    """The token is no longer good."""
    call.token.is_revoked = True
    return {"revoked": True}


@method("apps.connections.open", kind="app", scope="connections:write")
async def apps_connections_open(slack: "SlackDouble", call: Call) -> Body:
    """An address for one WebSocket."""
    ticket = slack.socket.ticket()
    return {"url": f"ws://127.0.0.1:{slack.server.port}/link/?ticket={ticket}&app_id={slack.app_id}"}
