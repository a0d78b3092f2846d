"""The extractor found at once is the one that asking all of them would find."""

import re
from collections.abc import Iterator

import pytest
import yt_dlp

from worker.child.sieve import Extractors

LINKS = [
    "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    "https://www.youtube.com/playlist?list=PLBB231211A4F62143",
    "https://youtu.be/dQw4w9WgXcQ?t=3",
    "https://vimeo.com/channels/staffpicks/108018156",
    "https://player.vimeo.com/video/54469442",
    "https://soundcloud.com/ethmusic/lostin-powers-she-so-heavy",
    "https://www.bbc.co.uk/programmes/b039g8p7",
    "https://www.tiktok.com/@leenabhushan/video/6748451240264420610",
    "https://twitter.com/freethenipple/status/643211948184596480",
    "https://archive.org/details/Cops1922",
    "https://www.arte.tv/en/videos/RC-014035/blow-up/",
    "https://example.com/film.mp4",
    "https://example.com/\u2603?x=[1]",
    "ytsearch:cats",
    "http://",
    "",
]


@pytest.fixture(scope="module")
def extractors() -> Iterator[Extractors]:
    with yt_dlp.YoutubeDL({"quiet": True}) as ydl:
        yield Extractors(ydl._ies)


@pytest.mark.parametrize("link", LINKS)
def test_the_first_that_takes_a_link(extractors: Extractors, link: str) -> None:
    asked = next((key for key, extractor in extractors.items() if extractor.suitable(link)), None)
    assert extractors.first(link) == asked
    assert extractors.first(link) == asked


class Plain:
    """As yt-dlp's: the pattern alone decides."""

    _VALID_URL: str | list[str] = ""

    @classmethod
    def suitable(cls, url: str) -> bool:
        patterns = [cls._VALID_URL] if isinstance(cls._VALID_URL, str) else cls._VALID_URL
        return any(re.match(pattern, url) for pattern in patterns)


Plain.suitable.__func__.__qualname__ = "InfoExtractor.suitable"  # type: ignore[attr-defined]


class Verbose(Plain):
    _VALID_URL = r"""(?x)
        https?:// (?P<host>a\.example) / (?P<id>\d+)  # what comes last is a comment"""


class CaseDoesNotMatter(Plain):
    _VALID_URL = r"(?i)https://b\.example/(?P<id>[a-z]+)$"


class Several(Plain):
    _VALID_URL = [r"c:(?P<id>\d+)", r"https://c\.example/(?P<id>\d+)"]  # noqa: RUF012 - as yt-dlp has it


class LooksBack(Plain):
    _VALID_URL = r"d:(?P<a>x)(?P=a)"


class Broken(Plain):
    _VALID_URL = r"e:("


class Last(Plain):
    _VALID_URL = r".*"


ODD = {kind.__name__: kind for kind in (Verbose, CaseDoesNotMatter, Several, LooksBack, Last)}


@pytest.mark.parametrize(
    ("link", "key"),
    [
        ("https://a.example/1", "Verbose"),
        ("https://b.example/ABC", "CaseDoesNotMatter"),
        ("https://A.example/1", "Last"),
        ("c:1", "Several"),
        ("https://c.example/1", "Several"),
        ("d:xx", "LooksBack"),
        ("d:xy", "Last"),
    ],
)
def test_patterns_keep_their_meaning_beside_each_other(link: str, key: str) -> None:
    assert Extractors(ODD).first(link) == key


def test_a_pattern_that_spoils_its_neighbours_leaves_them_to_be_asked() -> None:
    assert Extractors({"Several": Several, "Broken": Broken}).first("c:1") == "Several"
