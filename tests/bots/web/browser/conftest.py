"""A real Chromium on a real endpoint. Whatever a page must not do is written down, and fails the test."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from tests.bots.web.browser.scenes import make_media
from tests.bots.web.test_api import Endpoint, running
from tests.bots.web.watching import page_path

PICTURES = Path(__file__).parents[4] / ".cache" / "screenshots"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
WIDE = (1440, 900)
expect.set_options(timeout=60_000)  # where a look is repeated; the machine may be busy
KNOWS_ITS_FILM = """() => {
    const media = document.querySelector("#media");
    return !media || media.readyState >= 1 || media.error;
}"""


class Visit:
    """A page in the browser, with the endpoint behind it and a list of what went wrong."""

    def __init__(self, page: Page, web: Endpoint) -> None:
        self.page, self.web = page, web
        self.origin = f"http://127.0.0.1:{web.port}"
        self.problems: list[str] = []
        page.on("console", lambda said: self._note(said.type, said.text, said.type in ("error", "warning")))
        page.on("pageerror", lambda error: self._note("exception", str(error)))
        page.on("request", lambda asked: self._note("asks", asked.url, not asked.url.startswith(self.origin)))
        page.on("response", lambda got: self._note("fails", f"{got.status} {got.url}", got.status >= 400))

    def _note(self, what: str, text: str, is_bad: bool = True) -> None:
        if is_bad:
            self.problems.append(f"{what}: {text}")

    async def open(self, job_id: UUID, more: str = "") -> Page:
        """The page of a job, once its player knows its film."""
        await self.page.goto(self.origin + page_path(self.web.parts, job_id) + more)
        await self.page.wait_for_function(KNOWS_ITS_FILM)
        return self.page

    async def picture(self, name: str) -> None:
        """Keep what is on the screen, for people to look at."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        await asyncio.sleep(0.4)  # until it has been drawn, and no scrolling goes on
        await self.page.screenshot(path=PICTURES / f"{name}.png")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium, once for all tests."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.fail("chromium is not installed: run `scripts/setup.sh test`.")
    async with async_playwright() as playwright:
        # The sandbox needs rights that build servers seldom give; only our own pages are opened.
        chromium = await playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required"],
        )
        yield chromium
        await chromium.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def web(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Endpoint]:
    """The endpoint, once for all tests."""
    async with running(tmp_path_factory.mktemp("watch")) as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A film and its sound, by format."""
    return make_media(tmp_path_factory.mktemp("media"))


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A browser that remembers nothing of another test."""
    width, height = WIDE
    context = await browser.new_context(
        viewport={"width": width, "height": height}, locale="en-GB", timezone_id="UTC"
    )
    context.set_default_timeout(60_000)
    yield context
    await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def visit(context: BrowserContext, web: Endpoint) -> AsyncIterator[Visit]:
    """A new page; the test fails if it says an error, breaks its policy, or asks anybody else."""
    visit = Visit(await context.new_page(), web)
    yield visit
    assert not visit.problems
