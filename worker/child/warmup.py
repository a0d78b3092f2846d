"""What the warm process does once, so that no child has to: import, compile, and one whole small job."""

import _strptime  # type: ignore[import-not-found]
import http.server
import re
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shared.options import Options
from worker.child import links
from worker.child.look import look
from worker.child.protocol import Limits
from worker.child.session import Session
from worker.child.sieve import Extractors

_SIZE = 256 * 1024  # bytes; enough to go through every step of a download
_FILM = Path(__file__).with_name("warm.mp4").read_bytes()  # ten pictures and a tone; zeros make up the rest
_PATTERNS = 20_000
_PAGE = "<!doctype html><title>Nothing</title><p>Nothing here.</p>"
_LIMITS = Limits(max_bytes=2 * _SIZE, wall_clock=60, no_progress=60)


class _SmallFile(http.server.BaseHTTPRequestHandler):
    """Answers everything with a small video."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "video/mp4")
        self.send_header("Content-Length", str(_SIZE))
        self.send_header("Last-Modified", "Sun, 01 Nov 2026 12:00:00 GMT")  # dates have many patterns
        self.end_headers()
        try:
            self.wfile.write(_FILM.ljust(_SIZE, b"\0"))
        except ConnectionError:
            return  # the extractor looks at the first bytes only

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


def warm_up() -> Extractors:
    """Load the extractors, compile their patterns, and fetch one file. Leaves no thread and no socket."""
    _keep_patterns()
    with tempfile.TemporaryDirectory() as folder:
        session = Session(Path(folder), _LIMITS, None, None, None)
        extractors = session.ydl._ies = Extractors(session.ydl._ies)
        links.identify("https://example.com/", extractors)
        with http.server.HTTPServer(("127.0.0.1", 0), _SmallFile) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            try:
                session.probe(f"http://127.0.0.1:{server.server_port}/warm.mp4")
                for file in session.download(Options()):
                    look(Path(file.path))
            finally:
                server.shutdown()
                thread.join()
                session.ydl.close()
    return extractors


def _keep_patterns() -> None:
    """Python keeps 512 compiled patterns and 5 date formats; yt-dlp has far more of both.

    Each child would compile them anew: 30 ms for one Last-Modified header.
    """
    for module, name in ((re, "_MAXCACHE"), (re, "_MAXCACHE2"), (_strptime, "_CACHE_MAX_SIZE")):
        if hasattr(module, name):
            setattr(module, name, _PATTERNS)


def load_extractors(extractors: Extractors) -> Iterator[None]:
    """Import the extractors, one a step: on an unknown page each one looks for its own players."""
    for extractor in extractors.values():
        getattr(extractor, "extract_from_webpage", None)
        yield
    session = Session(Path("/nonexistent"), _LIMITS, None, None, extractors)
    generic = session.ydl.get_info_extractor("Generic")
    for _ in generic._extract_embeds("https://example.com/", _PAGE):  # compiles every embed pattern
        yield
