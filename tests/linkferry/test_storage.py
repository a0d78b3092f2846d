"""`linkferry storage`: real commands beside real files, in a folder and in a bucket."""

import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from linkferry.compose import Parts, open_parts
from linkferry.storage import Amount, Report, lines, look, revoke
from shared.ids import new_id
from shared.jobs import LeaseLost
from shared.models import Artifact, JobState
from shared.settings import Settings
from shared.storage import StoredKey
from tests.bots.web.watching import File, add_job
from tests.linkferry.conftest import Home
from tests.shared.conftest import claim, end, load, make_job
from tests.site.server import MediaSite

FILM = File("video", "mp4", b"film" * 25_000)
WORDS = File("transcript", "txt", b"word" * 250)
HOUR = timedelta(hours=1)


@pytest.fixture
def place(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, data_dir=tmp_path / "data")


async def leave_over(parts: Parts) -> list[str]:
    """One of each thing that can go; their names."""
    over = await add_job(parts, [WORDS], expires_in=-HOUR)
    async with parts.database.read() as session:
        expired = await session.scalar(select(Artifact.storage_key).where(Artifact.job_id == over))
    assert expired
    orphan, half = f"{over}/2.0.video.mp4", parts.settings.files_folder / ".incoming" / "half"
    half.parent.mkdir()
    for path in (parts.settings.files_folder / orphan, half):
        path.write_bytes(b"x" * 500)
        os.utime(path, (1, 1))
    work = parts.settings.work_folder / str(new_id())
    work.mkdir(parents=True)
    (work / "media.part").write_bytes(b"x" * 2000)
    return [work.name, expired, orphan, "half"]


async def test_the_report_says_what_is_kept_for_whom_and_until_when(place: Settings) -> None:
    async with open_parts(place) as parts:
        await add_job(parts, [FILM, WORDS], expires_in=HOUR / 2, site="a.example", user_key="telegram:1")
        await add_job(parts, [FILM], expires_in=20 * HOUR, site="b.example", user_key="telegram:1")
        lost = await add_job(parts, [FILM])
        async with parts.database.read() as session:
            key = await session.scalar(select(Artifact.storage_key).where(Artifact.job_id == lost))
        await parts.storage.delete(str(key))
        await leave_over(parts)
        found = await look(parts)
    assert found.kept == Amount(3, 201_000)
    assert found.by_kind == {"video": Amount(2, 200_000), "transcript": Amount(1, 1000)}
    assert found.by_site == {"a.example": Amount(2, 101_000), "b.example": Amount(1, 100_000)}
    assert found.by_person == {"telegram:1": Amount(3, 201_000)}
    assert [found.expires[seconds].files for seconds in (3600, 86_400, 7 * 86_400)] == [2, 3, 3]
    assert found.lost == Amount(1, 100_000) and found.work == Amount(1, 2000)
    left = {kind: (amount.files, amount.bytes) for kind, amount in found.left_over.items()}
    assert left == {"expired": (1, 1000), "orphan": (1, 500), "unfinished": (1, 500), "work": (1, 2000)}
    text = "\n".join(lines(found))
    for words in (
        "kept          3 files, 201 kB",
        "  a.example             2 files, 101 kB",
        "  within an hour      2 files, 101 kB",
        "left over     4 files, 4.0 kB",
        "lost          1 file, 100 kB: somebody else removed them",
    ):
        assert words in text


async def test_what_was_stored_while_it_listed_is_not_lost(
    place: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_parts(place) as parts:
        listed = parts.storage.keys

        async def stored_meanwhile() -> AsyncIterator[StoredKey]:
            async for found in listed():
                yield found
            await add_job(parts, [FILM])

        monkeypatch.setattr(parts.storage, "keys", stored_meanwhile)
        found = await look(parts)
    assert (found.lost.files, found.kept.files) == (0, 1)


def test_an_empty_place_is_a_short_report() -> None:
    empty = Report("data", None, 10**9, Amount())
    assert [line.split("  ")[0] for line in lines(empty)] == [
        "kept in",
        "free",
        "at work",
        "kept",
        "left over",
    ]


@pytest.mark.slow
async def test_sweep_says_what_goes_and_a_dry_run_deletes_nothing(home: Home, site: MediaSite) -> None:
    settings = Settings(_env_file=None, data_dir=home.data)
    home.service("up")
    done = home.run("get", site.url("/watch/sample"), "--json").json
    async with open_parts(settings) as parts:
        names = await leave_over(parts)
        kept = {found.key async for found in parts.storage.keys()} - set(names)  # noqa: SIM118
        report = home.run("storage", "report", "--json").json
        assert report["left_over"]["orphan"] == {"files": 1, "bytes": 500}
        assert report["kept"]["files"] == len(done["artifacts"]) and report["lost"]["files"] == 0
        looked = home.run("storage", "sweep", "--dry-run")
        swept = home.run("storage", "sweep")
        again = home.run("storage", "sweep")
        assert {found.key async for found in parts.storage.keys()} == kept  # noqa: SIM118
    for command, words in ((looked, "4 files, 4.0 kB would go."), (swept, "4 files, 4.0 kB deleted.")):
        *listed, last = command.out.splitlines()
        assert (command.code, last) == (0, words)
        assert [line.split()[2] for line in listed] == names
    assert again.out == "Nothing is left over.\n"
    assert home.run("get", site.url("/watch/sample"), "--json").json["job_id"] == done["job_id"]


async def test_what_is_revoked_goes_before_its_time(
    place: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    async with open_parts(place) as parts:
        job_id, other = await add_job(parts, [FILM, WORDS]), await add_job(parts, [WORDS])
        assert [await revoke(place, each) for each in (job_id, job_id, new_id())] == [0, 0, 1]
        told = capsys.readouterr()
        assert told.out.splitlines() == [
            "2 files, 101 kB deleted; their links lead nowhere now.",
            "0 files, 0 B deleted; their links lead nowhere now.",
        ]
        assert told.err.startswith("There is no job ")
        view, kept = await parts.follower.view(job_id), await parts.follower.view(other)
        assert view and kept and not any(each.url for each in view.artifacts) and kept.artifacts[0].url
        assert len([found async for found in parts.storage.keys()]) == 1  # noqa: SIM118


async def test_what_is_still_carried_is_cancelled_so_that_no_link_comes_of_it(
    place: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    async with open_parts(place) as parts:
        running = await make_job(parts.database)
        fence = await claim(parts.database)
        queued = await make_job(parts.database, "https://a.example/2")
        assert [await revoke(place, each) for each in (running, queued)] == [0, 0]
        assert capsys.readouterr().out.splitlines() == [
            "The job had not ended; it is cancelled.",
            "0 files, 0 B deleted; their links lead nowhere now.",
        ] * 2  # fmt: skip
        async with parts.database.write() as session:
            with pytest.raises(LeaseLost):
                await end(session, fence)
        assert (await load(parts.database, queued)).state is JobState.CANCELLED
