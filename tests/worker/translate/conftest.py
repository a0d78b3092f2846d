"""The translators: a real Apertium, LibreTranslate with a server of ours, Amazon with a stub of ours."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.worker.translate.libre import LibreServer, libre_server
from tests.worker.translate.stub_amazon import StubAmazon
from worker.translate import libretranslate
from worker.translate.amazon import AmazonTranslate
from worker.translate.apertium import Apertium
from worker.translate.libretranslate import LibreTranslate
from worker.translate.port import Translator


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long before another try."""
    monkeypatch.setattr(libretranslate, "PAUSE", 0.01)


@pytest_asyncio.fixture
async def libre() -> AsyncIterator[LibreServer]:
    async with libre_server() as server:
        yield server


@pytest.fixture(params=["libretranslate", "amazon", "apertium"])
def translator(request: pytest.FixtureRequest, libre: LibreServer) -> Translator:
    """Each of them in turn. Apertium has to be installed: `scripts/setup.sh test` does it."""
    if request.param == "libretranslate":
        return LibreTranslate(libre.url)
    if request.param == "amazon":
        return AmazonTranslate(client=StubAmazon().client)
    return Apertium()
