"""Payloads in the shape that Slack documents, with ids of nobody, to feed to handlers without a double.

`slash_command` is a dict of form fields; `app_mention_retried` has `headers` and a `body`.
"""

import json
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "payloads"
NAMES = sorted(path.stem for path in _FOLDER.glob("*.json"))


def recorded(name: str) -> dict[str, Any]:
    """The payload of this name; a fresh one each time."""
    payload: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text())
    return payload
