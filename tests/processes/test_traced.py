"""One trace across processes: bots, RabbitMQ, a worker, and a collector that takes OTLP over HTTP."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.processes.test_telegram import Town, is_film, town
from tests.tracing import Collector

__all__ = ["town"]

STAGES = ("probe", "download", "convert", "verify", "store")
THROUGH_THE_QUEUE = "submit > publish > claim > attempt"
WAYS = {
    "telegram update",
    "telegram update > submit",
    "telegram update > submit > post",
    "telegram update > submit > publish",
    "telegram update > submit > publish > claim",
    f"telegram update > {THROUGH_THE_QUEUE}",
    *(f"telegram update > {THROUGH_THE_QUEUE} > {stage}" for stage in STAGES),
    "telegram update > submit > deliver",
    "telegram update > submit > deliver > edit",
}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector that the standard variable names to every process that begins now."""
    with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        yield collector


async def test_a_request_is_one_trace_from_the_chat_s_update_to_the_final_edit(
    collector: Collector, town: Town
) -> None:
    link = town.cluster.site.url("/watch/sample")
    bots, (worker,) = await town.opens(1)
    await town.chat.sends(f"/get {link}?token=secret")
    await town.shows(is_film)
    got = await asyncio.to_thread(town.cluster.run, "get", f"{link}?own=1", "--json")
    assert got.returncode == 0, got.stderr
    for process in (bots, worker):  # what was traced last is sent at the end
        assert await asyncio.to_thread(process.stop) == 0

    ways = {" > ".join(collector.way(span)) for span in collector.ended()}
    assert {way for way in ways if way.startswith("telegram update")} == WAYS
    assert f"linkferry get > {THROUGH_THE_QUEUE} > store" in ways
    assert len({span.trace for span in collector.ended()}) == 2
    kinds = [collector.named(name)[0].kind for name in ("telegram update", "publish", "claim", "edit")]
    assert kinds == ["SERVER", "PRODUCER", "CONSUMER", "CLIENT"]
    assert {span.service for span in collector.ended()} == {"linkferry"}
    for span in collector.ended():
        assert not span.is_error
        assert not any(words in str(span.facts) for words in ("secret", "/watch", town.telegram.token))
