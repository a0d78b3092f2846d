"""What somebody gets whose link opens nothing: a short page for people, JSON for programs."""

from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; sandbox"

COMMON_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex, nofollow",
}
"""What every answer to a secret link carries."""

templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Problem:
    """Why a link opens nothing, and what to do: a code for programs, two sentences for people."""

    status: HTTPStatus
    code: str
    title: str
    next_step: str


NOT_FOUND = Problem(
    HTTPStatus.NOT_FOUND,
    "link_not_found",
    "There is nothing behind this link.",
    "Check that you have all of it, or ask for the file again in the chat.",
)
EXPIRED = Problem(
    HTTPStatus.GONE,
    "link_expired",
    "This link has expired.",
    "Send the original link to the chat again to get a new one.",
)
FILES_GONE = Problem(
    HTTPStatus.GONE,
    "files_gone",
    "The files of this page are no longer kept.",
    "Send the original link to the chat again to get new ones.",
)


def problem(request: Request, found: Problem) -> Response:
    """The answer, in the form that the asker reads."""
    headers = {**COMMON_HEADERS, "cache-control": "no-store", "vary": "accept"}
    if "text/html" in request.headers.get("accept", ""):
        page = templates.get_template("link_problem.html")
        html = page.render(title=found.title, next_step=found.next_step)
        return HTMLResponse(html, found.status, {**headers, "content-security-policy": _POLICY})
    error = {"code": found.code, "message": f"{found.title} {found.next_step}"}
    return JSONResponse({"error": error}, found.status, headers)
