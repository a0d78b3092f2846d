"""LibreTranslate's trouble: what passes is tried again, what does not is said at once."""

import asyncio
import socket

import pytest

from tests.worker.translate.libre import Fault, LibreServer
from worker.translate import libretranslate
from worker.translate.libretranslate import LibreTranslate
from worker.translate.port import LanguagePairUnknown, TranslatorUnavailable

TEXTS = [f"Sentence {number}." for number in range(10)]
SPANISH = [f"es: {text}" for text in TEXTS]


def client(libre: LibreServer, key: str = "", timeout: float = 60) -> LibreTranslate:
    return LibreTranslate(libre.url + "/", key, timeout=timeout)


@pytest.mark.parametrize("fault", [Fault.BROKEN, Fault.BUSY, Fault.CUT, Fault.SLOW])
async def test_what_may_pass_is_tried_again(libre: LibreServer, fault: Fault) -> None:
    libre.faults = [fault] * 2
    patience = 2 if fault is Fault.SLOW else 60
    assert await client(libre, timeout=patience).translate(TEXTS, "en", "es") == SPANISH
    assert len(libre.asked) == 3


@pytest.mark.parametrize("fault", [Fault.BROKEN, Fault.BUSY, Fault.CUT, Fault.SLOW])
async def test_but_not_for_ever(libre: LibreServer, fault: Fault) -> None:
    libre.faults = [fault] * 20
    with pytest.raises(TranslatorUnavailable):
        await client(libre, timeout=1 if fault is Fault.SLOW else 60).translate(TEXTS, "en", "es")
    assert len(libre.asked) == libretranslate.TRIES


@pytest.mark.parametrize("fault", [Fault.GARBAGE, Fault.SHORT, Fault.REDIRECT])
async def test_an_answer_that_is_none_is_told_at_once(libre: LibreServer, fault: Fault) -> None:
    libre.faults = [fault]
    with pytest.raises(TranslatorUnavailable):
        await client(libre).translate(TEXTS, "en", "es")
    assert len(libre.asked) == 1


async def test_a_server_says_how_long_to_wait(libre: LibreServer) -> None:
    libre.faults, libre.retry_after = [Fault.BUSY], "1"
    before = asyncio.get_running_loop().time()
    assert await client(libre).translate(TEXTS, "en", "es") == SPANISH
    assert asyncio.get_running_loop().time() - before >= 1


async def test_nobody_waits_for_a_server_that_wants_an_hour(libre: LibreServer) -> None:
    libre.faults, libre.retry_after = [Fault.BUSY], "3600"
    with pytest.raises(TranslatorUnavailable, match="429"):
        await client(libre).translate(TEXTS, "en", "es")
    assert len(libre.asked) == 1


async def test_the_key_is_sent(libre: LibreServer) -> None:
    libre.api_key = "right"
    assert await client(libre, "right").translate(TEXTS, "en", "es") == SPANISH


@pytest.mark.parametrize("key", ["", "wrong"])
async def test_a_wrong_key_is_not_tried_twice(libre: LibreServer, key: str) -> None:
    libre.api_key = "right"
    with pytest.raises(TranslatorUnavailable, match="API key"):
        await client(libre, key).translate(TEXTS, "en", "es")
    assert len(libre.asked) == 1


@pytest.mark.parametrize("limit", [{"batch_limit": 3}, {"char_limit": 40}])
async def test_a_servers_limits_are_found_and_kept(libre: LibreServer, limit: dict[str, int]) -> None:
    for name, value in limit.items():
        setattr(libre, name, value)
    translator = client(libre)
    assert await translator.translate(TEXTS, "en", "es") == SPANISH
    already = len(libre.asked)
    assert await translator.translate(TEXTS, "en", "es") == SPANISH
    assert len(libre.asked) - already <= 5  # it knows by now


async def test_a_text_over_the_limit_ends_it(libre: LibreServer) -> None:
    libre.char_limit = 5
    with pytest.raises(TranslatorUnavailable, match="limit"):
        await client(libre).translate(TEXTS, "en", "es")


async def test_a_pair_the_server_has_no_model_for(libre: LibreServer) -> None:
    with pytest.raises(LanguagePairUnknown):
        await client(libre).translate(TEXTS, "de", "es")


async def test_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(TranslatorUnavailable):
            await LibreTranslate(url).languages()


async def test_a_list_of_languages_that_is_none(libre: LibreServer) -> None:
    with pytest.raises(TranslatorUnavailable):
        await LibreTranslate(libre.url.removesuffix("/libre")).languages()
