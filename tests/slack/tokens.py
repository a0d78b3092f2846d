"""The tokens that the double has given out, and what each may do."""

from dataclasses import dataclass, field

BOT_SCOPES = frozenset(
    {
        "app_mentions:read",
        "channels:history",
        "channels:read",
        "chat:write",
        "commands",
        "files:write",
        "groups:history",
        "groups:read",
        "im:history",
        "im:read",
        "im:write",
        "links:read",
        "links:write",
        "users:read",
    }
)


@dataclass
class Token:
    """A bot token (`xoxb-`, `xoxe.xoxb-`) or an app-level token (`xapp-`).

    `used` collects the scopes that calls really needed, for a test of the manifest.
    """

    value: str = ""
    kind: str = "none"  # bot or app
    team_id: str = ""
    scopes: frozenset[str] = frozenset()
    expires_at: float | None = None
    is_revoked: bool = False
    used: set[str] = field(default_factory=set)
