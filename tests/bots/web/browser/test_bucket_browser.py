"""The watch page in a real Chromium with its film in a bucket, which is another origin."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext

from shared.storage.s3.bucket import open_bucket
from tests.bots.web.browser.conftest import Visit
from tests.bots.web.browser.scenes import DETAILS, ENGLISH, film, languages
from tests.bots.web.browser.test_watch_browser import SHOWING, TIME, expect_line, seek
from tests.bots.web.test_api import running
from tests.bots.web.watching import add_job
from tests.shared.storage.conftest import moto, s3_settings

__all__ = ["moto"]

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that mean nothing."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATESTTESTTESTTEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "kept-out-of-logs")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest_asyncio.fixture(loop_scope="session")
async def visit(context: BrowserContext, tmp_path: Path, moto: int) -> AsyncIterator[Visit]:
    """A page of an endpoint whose files are in a bucket; nobody else but the bucket may be asked."""
    bucket = f"http://127.0.0.1:{moto}"
    known = s3_settings(bucket)
    open_bucket(known).client.create_bucket(Bucket=known.s3_bucket)
    more = {name: getattr(known, name) for name in ("storage", "s3_bucket", "s3_endpoint_url")}
    async with running(tmp_path, **more) as web:
        visit = Visit(await context.new_page(), web)
        yield visit
        foreign = [problem for problem in visit.problems if problem.startswith("asks: ")]
        assert foreign and all(
            problem.startswith(f"asks: {bucket}/{known.s3_bucket}/") for problem in foreign
        )
        assert visit.problems == foreign


async def test_film_picture_and_captions_come_through(visit: Visit, media: dict[str, bytes]) -> None:
    page = await visit.open(await add_job(visit.web.parts, [*film(media), *languages()], **DETAILS))
    assert await page.evaluate("() => document.querySelector('#media').error") is None
    assert await page.evaluate("() => document.querySelector('#media').duration") > 100
    await page.keyboard.press("k")
    await page.wait_for_function(f"() => ({TIME})() > 0.5")
    await page.keyboard.press("c")
    assert await page.evaluate(f"{SHOWING}.map(one => one.srclang)") == ["en"]
    await page.wait_for_function(f"() => {SHOWING}[0].track.cues.length == {len(ENGLISH)}")
    await seek(page, 82)  # far beyond what is loaded: the bucket must give ranges
    await expect_line(page, ENGLISH[16])
    await page.wait_for_function("() => document.querySelector('#media').readyState >= 2")
