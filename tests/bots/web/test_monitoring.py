"""`/health`, `/health/live` and `/metrics`: what they tell, to whom, and whatever is down."""

import asyncio
import threading
from pathlib import Path
from unittest.mock import Mock

import httpx
import pytest

from bots.web.monitoring import monitoring_app
from shared import health, space
from shared.health import NEEDS
from shared.monitor import Monitor
from shared.settings import Settings
from tests.bots.web.test_api import running
from tests.numbers import numbers

WITH_KEY = {"authorization": "Bearer a-key-of-tests"}
CHECKS = {"database", "broker", "storage", "disk", "ffmpeg", "deno", "yt_dlp", "workers"}


async def test_health_tells_of_everything_with_its_time_and_reason(tmp_path: Path) -> None:
    async with running(tmp_path) as web:
        assert (await web.client.get("/health/live")).json() == {"status": "ok"}
        answer = await web.client.get("/health")
        told = answer.json()
        assert answer.status_code == 200 and told["status"] in ("ok", "warning")
        assert told["checks"].keys() == CHECKS
        for check in told["checks"].values():
            assert check.keys() == {"ok", "seconds", "reason"} and check["reason"]
        assert told["checks"]["database"]["ok"] and told["checks"]["storage"]["ok"]
        workers = told["checks"]["workers"]
        assert not workers["ok"] and "linkferry worker" in workers["reason"], "none runs, which can wait"


async def test_without_its_database_it_is_not_ready_but_lives_and_can_be_scraped(tmp_path: Path) -> None:
    async with running(tmp_path) as web:
        web.parts.database.read = Mock(side_effect=OSError)  # type: ignore[method-assign]
        failing = await web.client.get("/health")
        assert (failing.status_code, failing.json()["status"]) == (503, "failing")
        assert failing.json()["checks"]["database"]["reason"] == "OSError: it does not answer."
        assert (await web.client.get("/health/live")).status_code == 200
        scrape = await web.client.get("/metrics")
        assert scrape.status_code == 200
        told = numbers(scrape.text)
        assert told['linkferry_check_ok{check="database"}'] == 0
        assert told['linkferry_check_ok{check="broker"}'] == 1
        assert "linkferry_fenced_writes_total" in told and "linkferry_queue_messages" in told
        assert "linkferry_outbox_rows" not in told, "a gap, not a zero"


async def test_a_disk_that_hangs_is_left_out_of_the_metrics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()
    async with running(tmp_path) as web:
        monkeypatch.setattr(health, "PATIENCE", 0.5)
        monkeypatch.setattr(space, "free", lambda _: answers.wait(60))
        try:
            scraping = asyncio.create_task(web.client.get("/metrics"))
            await asyncio.wait([scraping], timeout=30)
            assert scraping.done(), "it waits for the disk"
        finally:
            answers.set()
        told = numbers((await scraping).text)
        assert told['linkferry_check_ok{check="disk"}'] == 0 and "linkferry_disk_free_bytes" not in told


async def test_metrics_count_what_waits(tmp_path: Path) -> None:
    async with running(tmp_path) as web:
        await web.job()
        scrape = await web.client.get("/metrics")
        assert scrape.headers["content-type"].startswith("text/plain; version=0.0.4")
        told = numbers(scrape.text)
        assert told['linkferry_jobs{state="queued"}'] == 1
        assert told["linkferry_oldest_queued_age_seconds"] >= 0
        assert told["linkferry_disk_free_bytes"] > 0 and told["linkferry_yt_dlp_age_seconds"] > 0
        assert told["linkferry_workers"] == 0
        assert told["process_resident_memory_bytes"] > 0


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}])
async def test_strangers_learn_only_whether_all_is_well(tmp_path: Path, headers: dict[str, str]) -> None:
    async with running(tmp_path, api_keys="a-key-of-tests") as web:
        assert (await web.client.get("/health", headers=headers)).json().keys() == {"status"}
        assert (await web.client.get("/metrics", headers=headers)).status_code == 401
        assert "checks" in (await web.client.get("/health", headers=WITH_KEY)).json()
        assert (await web.client.get("/metrics", headers=WITH_KEY)).status_code == 200


async def test_without_keys_only_this_machine_may_scrape(tmp_path: Path) -> None:
    async with running(tmp_path) as web:
        through_a_proxy = await web.client.get("/metrics", headers={"x-forwarded-for": "192.0.2.1"})
        assert through_a_proxy.status_code == 403


async def test_the_port_of_the_monitoring_answers_three_paths_from_the_first_moment(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, data_dir=tmp_path, api_keys="a-key-of-tests")  # type: ignore[call-arg, arg-type]
    app = monitoring_app(Monitor(settings, NEEDS["worker"]))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://worker:9464") as client:
        assert (await client.get("/health/live")).status_code == 200
        starting = await client.get("/health")
        assert (starting.status_code, starting.json()) == (503, {"status": "starting", "checks": {}})
        assert "linkferry_lease_steals_total" in (await client.get("/metrics")).text
        assert (await client.get("/openapi.json")).status_code == 404
        assert (await client.get("/docs")).status_code == 404
