"""`linkferry health`: asks this machine's own process how it is.

Containers do so every few seconds, so it loads nothing heavy: not even the class of the settings.
"""

import json
import os
import sys
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import NoReturn

PATIENCE = 8.0  # seconds; an answer about readiness takes half of that at most
LONGEST = 100_000  # bytes of an answer
ANY = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to ask who listens to all


def answer(*, ready: bool) -> NoReturn:
    """Print the line; exit 0 when all is well, else 1."""
    is_well, words = ask(ready=ready)
    print(words)  # noqa: T201 - this is the command line
    sys.exit(0 if is_well else 1)


def ask(*, ready: bool) -> tuple[bool, str]:
    """Whether the process lives, or is ready for its work; and one line that says so."""
    host, port = address()
    connection = HTTPConnection(host, port, timeout=PATIENCE)
    try:
        # by this name, because an endpoint that knows no keys tells more to its own machine
        connection.request("GET", "/health" if ready else "/health/live", headers={"Host": "localhost"})
        response = connection.getresponse()
        said = response.read(LONGEST)
    except (OSError, HTTPException) as error:
        return False, f"failing: nothing answers on {host} port {port} ({type(error).__name__})"
    finally:
        connection.close()
    return response.status == 200, line(response.status, said)


def address() -> tuple[str, int]:
    """Where the process on this machine answers: host and port."""
    host = setting("HOST", "127.0.0.1")
    metrics_port = int(setting("METRICS_PORT", "0"))
    return ANY.get(host, host), metrics_port or int(setting("PORT", "8080"))


def line(status: int, said: bytes) -> str:
    """One line about an answer: the status in a word, and what is wrong."""
    try:
        found = json.loads(said)
        wrong = [
            f"{name}: {about['reason']}" for name, about in found.get("checks", {}).items() if not about["ok"]
        ]
        return "; ".join([str(found["status"]), *wrong])
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"failing: the answer was {status}, and not Linkferry's"


def setting(name: str, default: str) -> str:
    """A setting as `Settings` reads it: from a variable, the file that one names, or `.env`."""
    variable = f"LINKFERRY_{name}"
    if (value := _value(os.environ, variable)) is not None:
        return value
    if file := os.environ.get(f"{variable}_FILE"):
        return Path(file).read_text().strip()
    if Path(".env").is_file():
        from dotenv import dotenv_values

        return _value(dotenv_values(".env"), variable) or default
    return default


def _value(values: Mapping[str, str | None], variable: str) -> str | None:
    """Lower case will do, as it does elsewhere."""
    return next((value for name, value in values.items() if name.upper() == variable), None)
