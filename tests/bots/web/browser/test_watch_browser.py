"""The watch page in a real Chromium, as somebody uses it: the film, the lines, the search, the keys.

Pictures of it lie in .cache/screenshots afterwards.
"""

from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.bots.web.browser.conftest import Visit
from tests.bots.web.browser.scenes import DETAILS, ENGLISH, film, languages, sound
from tests.bots.web.test_api import Endpoint
from tests.bots.web.watching import File, add_job, page_path, spoken

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

SHOWING = "[...document.querySelectorAll('track')].filter(one => one.track.mode == 'showing')"
CURRENT = ".line[aria-current]"
TIME = "() => document.querySelector('#media').currentTime"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def job(web: Endpoint, media: dict[str, bytes]) -> UUID:
    return await add_job(web.parts, [*film(media), *languages()], **DETAILS)


async def seconds(page: Page) -> float:
    return float(await page.evaluate(TIME))


async def seek(page: Page, moment: float) -> None:
    await page.evaluate("moment => { document.querySelector('#media').currentTime = moment }", moment)


async def until_at(page: Page, moment: float) -> None:
    where = "moment => Math.abs(document.querySelector('#media').currentTime - moment) < 0.3"
    await page.wait_for_function(where, arg=moment)


IS_IN_SIGHT = """selector => {
    const found = document.querySelector(selector);
    const { left, top, width, height } = found.getBoundingClientRect();
    return found.contains(document.elementFromPoint(left + width / 2, top + height / 2));
}"""


async def comes_into_sight(page: Page, selector: str = CURRENT) -> None:
    """Wait until it can be seen, neither scrolled away nor below the player."""
    await page.wait_for_function(IS_IN_SIGHT, arg=selector)


async def expect_line(page: Page, text: str) -> None:
    await expect(page.locator(CURRENT)).to_have_count(1)
    await expect(page.locator(f"{CURRENT} p")).to_have_text(text)


async def test_the_film_plays_and_the_line_follows(visit: Visit, job: UUID) -> None:
    page = await visit.open(job)
    await page.keyboard.press("k")
    await page.wait_for_function(f"() => ({TIME})() > 0.5")
    await expect_line(page, ENGLISH[0])
    await page.keyboard.press(" ")
    assert await page.evaluate("() => document.querySelector('#media').paused")
    for line in (7, 23, 2):
        await seek(page, line * 5 + 1)
        await expect_line(page, ENGLISH[line])
        await comes_into_sight(page)
    assert await page.evaluate("() => scrollY") == 0
    await visit.picture("wide-light")


async def test_a_click_on_a_line_or_a_chapter_jumps(visit: Visit, job: UUID) -> None:
    page = await visit.open(job)
    await page.get_by_text("it is not calm at all").click()
    await until_at(page, 20)
    await expect_line(page, ENGLISH[4])
    assert page.url.endswith("#t=20")
    await page.get_by_role("link", name="Between the Sisters").click()
    await until_at(page, 60)
    await expect_line(page, ENGLISH[12])
    await expect(page.locator(".chapters [aria-current=true]")).to_contain_text("Between the Sisters")
    await page.locator(".line .time").nth(13).click()
    await until_at(page, 65)


@pytest.mark.parametrize("fragment", ["#t=83", "#t=1:23", "#t=83.0"])
async def test_a_link_opens_at_its_moment(visit: Visit, job: UUID, fragment: str) -> None:
    page = await visit.open(job, fragment)
    await until_at(page, 83)
    await expect_line(page, ENGLISH[16])
    await comes_into_sight(page)
    await page.evaluate("() => { location.hash = '#t=5' }")
    await until_at(page, 5)
    await page.evaluate("() => { location.hash = '#t=%zz' }")
    await expect_line(page, ENGLISH[1])


async def test_the_search_filters_and_marks(visit: Visit, job: UUID) -> None:
    page = await visit.open(job)
    await page.keyboard.press("/")
    await page.keyboard.type("LIGHTHOUSE")
    await expect(page.locator("#found")).to_have_text("2 lines")
    await expect(page.locator(".line:visible")).to_have_count(2)
    await expect(page.locator("mark")).to_have_text(["lighthouse", "lighthouse"])
    await expect(page.locator("#lines h3:visible")).to_have_count(2)
    await visit.picture("search")
    await page.keyboard.press("Enter")
    await until_at(page, 25)
    await page.keyboard.press("Enter")
    await until_at(page, 85)
    await page.keyboard.press("Enter")
    await until_at(page, 25)
    await page.keyboard.press("Escape")
    await expect(page.locator(".line:visible")).to_have_count(len(ENGLISH))
    await expect(page.locator("mark")).to_have_count(0)
    await comes_into_sight(page)


@pytest.mark.parametrize(
    ("words", "marked"),
    [
        ("cafe", ["café"]),
        ("CAFÉ'S", ["café's"]),
        ("hats. the", ["hats.", "The"]),
        ("nothing like this", []),
        ("<b>", []),
        (".*", []),
    ],
)
async def test_what_the_search_takes_for_the_same(
    visit: Visit, job: UUID, words: str, marked: list[str]
) -> None:
    page = await visit.open(job)
    await page.locator("#search").fill(words)
    await expect(page.locator("#found")).to_have_text(
        "1 line" if len(marked) == 1 else f"{len(marked)} lines"
    )
    await expect(page.locator("mark")).to_have_text(marked)


async def test_another_language_does_not_stop_the_film(visit: Visit, job: UUID) -> None:
    page = await visit.open(job, "#t=42")
    await until_at(page, 42)
    await page.keyboard.press("c")
    assert await page.evaluate(f"{SHOWING}.map(one => one.srclang)") == ["en"]
    await page.locator(".menu summary").click()
    await visit.picture("languages")
    await page.get_by_role("link", name="German (translated)", exact=True).click()
    await expect(page.locator(".menu summary")).to_have_text("German (translated)")
    await expect_line(page, "Zeile 9: Guten Morgen und willkommen an Bord.")
    assert await seconds(page) == pytest.approx(42, abs=0.5)
    assert await page.evaluate(f"{SHOWING}.map(one => one.srclang)") == ["de"]
    assert page.url.endswith("?language=de#t=42")
    await page.wait_for_function(f"() => {SHOWING}[0].track.cues?.length === 24")
    await page.reload()
    await expect_line(page, "Zeile 9: Guten Morgen und willkommen an Bord.")


async def test_text_runs_the_way_its_script_does(visit: Visit, job: UUID) -> None:
    page = await visit.open(job, "?language=ar#t=42")
    line = page.locator(CURRENT)
    await expect(line).to_contain_text("السطر 9")
    moment, text = await line.locator(".time").bounding_box(), await line.locator("p").bounding_box()
    assert moment and text and moment["x"] > text["x"]
    await visit.picture("right-to-left")
    await page.goto(page.url.replace("language=ar", "language=ja"))
    await expect(page.locator(f"{CURRENT} p")).to_have_text("9行目、おはようございます。フェリーへようこそ。")
    await page.locator("#search").fill("10行目、おはよう")
    await expect(page.locator("mark")).to_have_text(["10行目、おはよう"])
    await page.locator("#search").fill("ようこそ。11行目")
    await expect(page.locator("mark")).to_have_text(["ようこそ。", "11行目"])


async def test_the_keyboard_does_it_all(visit: Visit, job: UUID) -> None:
    page = await visit.open(job, "#t=42")
    await until_at(page, 42)
    steps = {"l": 52, "j": 42, "ArrowRight": 47, "ArrowLeft": 42, "ArrowDown": 45, "ArrowUp": 40}
    for key, moment in steps.items():
        await page.keyboard.press(key)
        await until_at(page, moment)
    await page.keyboard.press("m")
    assert await page.evaluate("() => document.querySelector('#media').muted")
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    await visit.picture("keyboard")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await page.keyboard.press("/")
    await page.keyboard.type("jlk ?")  # in the search these are letters
    await until_at(page, 40)
    await expect(page.locator("#search")).to_have_value("jlk ?")


async def test_who_looks_elsewhere_is_left_alone(visit: Visit, job: UUID) -> None:
    page = await visit.open(job, "#t=5")
    await until_at(page, 5)
    await page.locator("#scroll").hover()
    await page.mouse.wheel(0, 2000)
    back = page.get_by_role("button", name="Back to the current line")
    await expect(back).to_be_visible()
    await seek(page, 16)
    await expect_line(page, ENGLISH[3])
    await page.wait_for_timeout(600)
    assert not await page.evaluate(IS_IN_SIGHT, CURRENT)
    await back.click()
    await expect(back).to_be_hidden()
    await comes_into_sight(page)


async def test_dark_mode_follows_the_system_and_the_button(visit: Visit, job: UUID) -> None:
    background = "() => getComputedStyle(document.body).backgroundColor"
    await visit.page.emulate_media(color_scheme="dark")
    page = await visit.open(job, "#t=62")
    await until_at(page, 62)
    dark = await page.evaluate(background)
    await visit.picture("wide-dark")
    await page.get_by_role("button", name="Dark or light").click()
    light = await page.evaluate(background)
    assert dark != light
    await page.reload()
    assert await page.evaluate(background) == light
    await page.get_by_role("button", name="Dark or light").click()
    assert await page.evaluate(background) == dark


async def test_a_phone_keeps_the_film_above_the_lines(visit: Visit, job: UUID) -> None:
    await visit.page.set_viewport_size({"width": 390, "height": 844})
    page = await visit.open(job)
    await visit.picture("phone-top")
    await page.get_by_text("So do not worry").scroll_into_view_if_needed()
    await page.evaluate("() => { location.hash = '#t=83' }")
    await expect_line(page, ENGLISH[16])
    await comes_into_sight(page)
    await comes_into_sight(page, "#media")
    assert await page.evaluate("() => document.documentElement.scrollWidth") == 390
    await visit.picture("phone")
    await page.emulate_media(color_scheme="dark")
    await visit.picture("phone-dark")
    await page.evaluate("() => scrollTo(0, document.body.scrollHeight)")
    await visit.picture("phone-end")


async def test_sound_alone_and_words_alone(visit: Visit, media: dict[str, bytes]) -> None:
    heard = await add_job(visit.web.parts, [*sound(media), *languages()], **DETAILS)
    page = await visit.open(heard, "#t=33")
    await until_at(page, 33)
    await expect_line(page, ENGLISH[6])
    await visit.picture("audio")
    read = await add_job(visit.web.parts, languages(), **DETAILS)
    page = await visit.open(read, "#t=83")
    await expect_line(page, ENGLISH[16])
    await comes_into_sight(page)
    await page.keyboard.press("ArrowDown")
    await expect_line(page, ENGLISH[17])
    await page.get_by_text("the bar is open").click()
    await expect_line(page, ENGLISH[15])
    await visit.picture("transcript")
    seen = await add_job(visit.web.parts, film(media), title="A film without words")
    page = await visit.open(seen, "#t=10")
    await until_at(page, 10)
    await visit.picture("film")


async def test_a_film_that_cannot_be_played_says_so(visit: Visit) -> None:
    broken = File("video", "mp4", b"this is no film", {"height": 1})
    page = await visit.open(await add_job(visit.web.parts, [broken, *spoken("en", ["Hello."])]))
    await expect(page.get_by_role("alert")).to_contain_text("cannot play the file")


async def test_hostile_words_do_nothing(visit: Visit) -> None:
    evil = "<img src=x onerror=alert(1)><script>alert(1)</script>{{7*7}}"
    more: dict[str, Any] = {"title": evil, "media": {"chapters": [{"start": 0, "end": 9, "title": evil}]}}
    page = await visit.open(
        await add_job(visit.web.parts, spoken("en", [evil, "x"], speakers=[evil]), **more)
    )
    await page.locator("#search").fill("<script>alert(1)")
    await expect(page.locator("mark")).to_have_text("<script>alert(1)")
    assert await page.locator("#lines img, #lines script").count() == 0
    assert await page.title() == f"{evil} · Linkferry"


async def test_without_scripts_it_can_be_read_and_played(browser: Browser, web: Endpoint, job: UUID) -> None:
    async with await browser.new_context(java_script_enabled=False) as context:
        page = await context.new_page()
        address = f"http://127.0.0.1:{web.port}{page_path(web.parts, job)}"
        await page.goto(f"{address}#t=100")
        await expect(page.locator(".line p").nth(20)).to_be_in_viewport()
        await expect(page.locator("#search")).to_be_hidden()
        await page.locator(".menu summary").click()
        await page.get_by_role("link", name="Japanese (automatic)", exact=True).click()
        await expect(page.locator(".line p").first).to_contain_text("1行目")


async def test_ten_hours_of_speech_stay_quick(visit: Visit) -> None:
    texts = [f"Number {number} of what is said in ten hours, which is a lot." for number in range(12_000)]
    page = await visit.open(await add_job(visit.web.parts, spoken("en", texts, ["vtt"], step=3)), "#t=30000")
    await expect_line(page, texts[10_000])
    await comes_into_sight(page)
    await page.locator("#search").fill("ten hours")
    # Not `expect`: where it misses the text at once, Playwright describes the whole page for its message
    # (toAriaNode in its own script), and that keeps a page of this size busy for minutes.
    # It takes 0.8 to 1 s on two cores that others use too.
    await page.wait_for_function("() => document.querySelector('#found').value === '12000 lines'")
