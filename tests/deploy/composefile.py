"""compose.yaml as Docker Compose reads it: variables filled in, anchors followed, profiles chosen."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "compose.yaml"
ENV_EXAMPLE = ROOT / ".env.example"
SECRETS = "/run/secrets"
_VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>[A-Z0-9_]+)(?::-(?P<default>[^}]*))?\})")
_UNITS = {"s": 1, "m": 60, "h": 3600}

Service = dict[str, Any]


def load(variables: dict[str, str] | None = None) -> dict[str, Any]:
    """The whole file. A `$` that is neither doubled nor a variable in braces is an error, here and there."""
    found: dict[str, Any] = _filled(yaml.safe_load(COMPOSE.read_text()), variables or {})
    return found


def _filled(value: Any, variables: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(inner, variables) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, variables) for inner in value]
    return fill(value, variables) if isinstance(value, str) else value


def fill(text: str, variables: dict[str, str]) -> str:
    """The text with its variables' values; an empty value counts as none where there is a default."""
    assert "$" not in _VARIABLE.sub("", text), f"compose does not take {text!r}"

    def value(match: re.Match[str]) -> str:
        if match["dollar"]:
            return "$"
        return variables.get(match["name"]) or match["default"] or ""

    return _VARIABLE.sub(value, text)


def services(profiles: set[str], variables: dict[str, str] | None = None) -> dict[str, Service]:
    """The services that these profiles start."""
    named: dict[str, Service] = load(variables)["services"]
    return {name: service for name, service in named.items() if profiles & set(service.get("profiles", []))}


def ours(named: dict[str, Service]) -> dict[str, Service]:
    """Those that are built here."""
    return {name: service for name, service in named.items() if "build" in service}


def in_order(named: dict[str, Service]) -> list[str]:
    """Their names so that each comes after what it waits for."""
    order: list[str] = []

    def add(name: str) -> None:
        for other in named[name].get("depends_on", {}):
            if other in named and other not in order:
                add(other)
        if name not in order:
            order.append(name)

    for name in named:
        add(name)
    return order


def secret_files(service: Service) -> dict[str, str]:
    """Where each of its secrets lies in the container, and the file on the host, below the project."""
    files = {name: about["file"] for name, about in load()["secrets"].items()}
    given = [one if isinstance(one, dict) else {"source": one} for one in service.get("secrets", [])]
    return {one.get("target", f"{SECRETS}/{one['source']}"): files[one["source"]] for one in given}


def seconds(duration: str) -> int:
    """`60s` and its like."""
    number, unit = re.fullmatch(r"(\d+)([smh])", duration).groups()  # type: ignore[union-attr]
    return int(number) * _UNITS[unit]


def env_file(text: str) -> dict[str, str]:
    """What a `.env` says."""
    lines = (line.strip() for line in text.splitlines())
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
