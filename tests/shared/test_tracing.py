"""Tracing: nothing where nobody asked for it, one sentence where it cannot be, and never in anybody's way."""

import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from linkferry import doctor
from shared import tracing
from shared.environment import Environment, Place
from shared.errors import Code, ConfigError, JobError
from shared.settings import Settings
from shared.telemetry import AddContext, JsonLines
from shared.tracing import ADDRESSES, NowAndThen, end_tracing, set_up_tracing
from tests.services import free_port
from tests.tracing import Collector, Kept, kept
from tests.waiting import until

EXPORTER = "opentelemetry.exporter.otlp.proto.http.trace_exporter"


@pytest.fixture
def spans() -> Iterator[Kept]:
    """What is traced, kept in memory."""
    with kept() as spans:
        yield spans


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No collector is named, and nothing is traced afterwards."""
    for name in ADDRESSES:
        monkeypatch.delenv(name, raising=False)
    yield
    end_tracing()


def settings(tracing: str, **changes: str) -> Settings:
    return Settings(_env_file=None, tracing=tracing, environment="localhost", **changes)  # type: ignore[arg-type]


@pytest.mark.slow
def test_nothing_of_opentelemetry_is_imported_before_it_is_wanted() -> None:
    look = "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    code = f"import sys, bots.intake, worker.service, shared.telemetry, shared.tracing; {look}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_without_tracing_everything_does_nothing() -> None:
    with tracing.span("a", "no place at all", anything=1):
        tracing.tell(more=2)
        tracing.link("nor this")
        tracing.failed(ValueError())
        tracing.begin("b")(None)
        assert tracing.current() is tracing.trace_id() is None
    assert tracing.passed("c", "what was there", 0) == "what was there"
    assert not tracing.is_on()


@pytest.mark.parametrize(
    ("asked", "address", "expected"),
    [("off", True, False), ("auto", False, False), ("auto", True, True), ("on", False, True)],
)
def test_it_is_on_where_somebody_says_so_or_says_where_to(
    asked: str, address: bool, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Collector() as collector:
        if address:
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        set_up_tracing(settings(asked))
        assert tracing.is_on() is expected
        end_tracing()


@pytest.fixture
def without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where it is not installed."""
    monkeypatch.setattr(tracing, "PACKAGE", "opentelemetry-that-nobody-has")


def test_what_is_asked_for_and_not_installed_is_one_sentence(without_the_extra: None) -> None:
    with pytest.raises(ConfigError, match=r"requirements-tracing\.lock; or set LINKFERRY_TRACING=off\.$"):
        set_up_tracing(settings("on"))


@pytest.mark.parametrize("place", list(Place))
def test_inside_ecs_and_lambda_installing_it_is_enough(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Settings, "where", Environment(place, "because"))
    expected = place not in (Place.LOCALHOST, Place.EC2)
    assert bool(tracing.why(settings("auto"))) is expected
    assert tracing.why(settings("off")) is None
    monkeypatch.setattr(tracing, "PACKAGE", "opentelemetry-that-nobody-has")
    assert tracing.why(settings("auto")) is None


async def test_the_doctor_says_whether_it_is_on_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    async def found(asked: str) -> tuple[str, str]:
        finding = await doctor._tracing(settings(asked))
        return finding.mark, finding.found

    assert await found("auto") == ("ok", "off")
    assert await found("on") == ("ok", "on, because LINKFERRY_TRACING says so")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    assert await found("auto") == ("ok", "on, because OTEL_EXPORTER_OTLP_ENDPOINT is set")
    monkeypatch.setattr(tracing, "PACKAGE", "opentelemetry-that-nobody-has")
    assert await found("auto") == ("note", "OpenTelemetry is missing.")
    assert await found("on") == ("fix", "OpenTelemetry is missing.")


def test_an_address_alone_stops_nobody_who_has_not_installed_it(
    without_the_extra: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:1/v1/traces")
    set_up_tracing(settings("auto"))
    assert not tracing.is_on()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "requirements-tracing.lock" in caplog.text


def test_an_error_is_told_by_its_code_or_its_kind_and_never_in_its_words(spans: Kept) -> None:
    for error in (JobError(Code.PRIVATE, "https://a.example/?key=secret"), ValueError("secret")):
        with pytest.raises(type(error)), tracing.span("a", link=None):
            raise error
    assert [span.facts for span in spans.named("a")] == [
        {"error.type": "private"},
        {"error.type": "ValueError"},
    ]
    assert all(span.is_error for span in spans.ended())


def test_a_place_in_a_trace_is_a_text_and_another_process_goes_on_from_it(spans: Kept) -> None:
    with tracing.span("above"):
        place = tracing.current()
    assert place is not None and len(place) == 55
    on_from = tracing.passed("claim", place, time.time_ns())
    with tracing.span("below", on_from), tracing.span("inside"):
        pass
    assert spans.way(spans.one("inside")) == ["above", "claim", "below", "inside"]
    assert spans.one("claim").kind == "CONSUMER"


@pytest.mark.parametrize("nonsense", ["", "00-zz", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "é" * 55])
def test_a_place_that_is_none_begins_a_new_trace(spans: Kept, nonsense: str) -> None:
    with tracing.span("outside"), tracing.span("a", nonsense):
        tracing.link(nonsense)
    assert (spans.one("a").parent, spans.one("a").links) == (None, ())


def test_a_span_is_linked_to_other_traces_only(spans: Kept) -> None:
    with tracing.span("other"):
        other = tracing.current()
    with tracing.span("own"):
        tracing.link(tracing.current())
        tracing.link(other)
    assert spans.one("own").links == (spans.one("other").trace,)


def test_a_json_log_names_the_trace(spans: Kept) -> None:
    record = logging.LogRecord("a", logging.INFO, "", 0, "words", None, None)
    with tracing.span("a"):
        AddContext().filter(record)
    assert json.loads(JsonLines(str).format(record))["trace_id"] == spans.one("a").trace


def test_the_exporter_posts_to_the_collector_that_the_standard_variable_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_SERVICE_NAME", "ferry-of-tests")
        set_up_tracing(settings("auto"))
        with tracing.span("a", kind="server", number=7, text="seven"):
            pass
        end_tracing()
        (span,) = collector.ended()
    assert (span.name, span.kind, span["number"], span["text"]) == ("a", "SERVER", 7, "seven")
    assert span.service == "ferry-of-tests"


def test_a_collector_that_never_answers_holds_up_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "FLUSH", 0.2)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "3600")
    with Collector(silent=True) as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        set_up_tracing(settings("auto"))
        with tracing.span("a"):
            pass
        end_tracing()
        assert not tracing.is_on()
        until(lambda: bool(collector.ended()), "nothing was sent, so that there was nothing to wait for")


@pytest.mark.slow
def test_a_collector_that_is_not_there_costs_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "3")
    set_up_tracing(settings("auto"))
    with tracing.span("a"):
        pass
    end_tracing()
    until(lambda: bool(caplog.records), "nobody is told")
    assert [record.name for record in caplog.records] == [EXPORTER]
    assert "refused" in caplog.text


def test_a_line_comes_now_and_then() -> None:
    record = logging.LogRecord("a", logging.WARNING, "", 0, "words", None, None)
    rarely, always = NowAndThen(3600), NowAndThen(0)
    assert [rarely.filter(record) for _ in range(3)] == [True, False, False]
    assert [always.filter(record) for _ in range(3)] == [True, True, True]


def test_aws_s_collector_is_told_where_it_runs() -> None:
    cloud = {place: tracing._cloud(Environment(place, "")) for place in Place}
    assert cloud == {
        Place.LOCALHOST: {},
        Place.AWS: {"cloud.provider": "aws"},
        Place.EC2: {"cloud.provider": "aws", "cloud.platform": "aws_ec2"},
        Place.ECS: {"cloud.provider": "aws", "cloud.platform": "aws_ecs"},
        Place.LAMBDA: {"cloud.provider": "aws", "cloud.platform": "aws_lambda"},
    }
