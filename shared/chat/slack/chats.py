"""Where a message is: chats of all workspaces have ids such as `T123/C456`, and limits that they share."""

from shared.chat.pace import Window

PLATFORM = "slack"
BASE = 3.0  # seconds between two progress edits of one message

_CALLS = 45  # a minute, of the about 50 edits that Slack allows an app in one workspace
_PROGRESS = 35
_MINUTE = 60.0


def chat_id(team: str, channel: str) -> str:
    """The id of a channel or a direct message within a workspace."""
    return f"{team}/{channel}"


def split_chat(chat: str) -> tuple[str, str]:
    """The workspace and the channel. Raises ValueError for what is no id of ours."""
    team, slash, channel = chat.partition("/")
    if not (team and slash and channel):
        raise ValueError(f"not a Slack chat: {chat!r}")
    return team, channel


def place(chat: str) -> str:
    """What a refusal holds: Slack counts by workspace, so it would refuse in every other chat as well."""
    return split_chat(chat)[0]


def windows(chat: str) -> tuple[Window, ...]:
    """One budget of edits for the whole workspace, and one message a second in each channel."""
    team, _ = split_chat(chat)
    return Window((PLATFORM, team), _CALLS, _MINUTE, _PROGRESS), Window((PLATFORM, chat), 1, 1.0, 1)
