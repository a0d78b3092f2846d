"""One trace for what somebody asked for, from the chat's update to the final edit. Off, and free, by default.

Nothing of OpenTelemetry is imported until `set_up_tracing` finds that it is wanted. The tracer provider stays
ours, not the process's: other libraries would write addresses into spans of their own, and ours are secret.
Spans hold ids, sites, stages and codes, never a link, a title, or the words of an error.

Between processes a place in a trace is W3C's `traceparent`, a text: in the rows of jobs and requests, where
it outlives a crash, and in a header of the queue. X-Ray has taken W3C's ids since October 2023, and its
collector takes OTLP: neither AWS's own ids nor its own header is needed.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from shared.environment import Environment, Place
from shared.errors import ConfigError, JobError

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Span, Tracer

    from shared.settings import Settings

log = logging.getLogger(__name__)

TRACEPARENT = "traceparent"  # the name of the header, as W3C has it
ADDRESSES = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PACKAGE = "opentelemetry-exporter-otlp-proto-http"
INSTALL = "python -m pip install --require-hashes -r requirements-tracing.lock"
FLUSH = 3.0  # seconds that the last spans get to leave when the process ends
REMIND_AFTER = 300.0  # seconds until a collector that takes nothing is spoken of again
TALKATIVE = ("opentelemetry.exporter.otlp.proto.http.trace_exporter", "opentelemetry.sdk._shared_internal")

_PLATFORMS = {Place.ECS: "aws_ecs", Place.EC2: "aws_ec2", Place.LAMBDA: "aws_lambda"}

_tracer: "Tracer | None" = None
_end: Callable[[], None] | None = None


def set_up_tracing(settings: "Settings") -> None:
    """Trace from now on, if that is wanted. Raises ConfigError when it is asked for and not installed."""
    reason = why(settings)
    if reason is None:
        return
    if not is_installed():
        told = f"Nothing can be traced ({reason}) until OpenTelemetry is installed: {INSTALL}"
        if settings.tracing == "on":
            raise ConfigError(f"{told}; or set LINKFERRY_TRACING=off.")
        log.warning("%s", told)
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    quiet = NowAndThen(REMIND_AFTER)
    for name in TALKATIVE:
        logging.getLogger(name).addFilter(quiet)
    start(BatchSpanProcessor(OTLPSpanExporter()), settings.where)  # a thread of its own sends


def why(settings: "Settings") -> str | None:
    """What asks for tracing; None when nothing does.

    In ECS and Lambda installing it is enough: AWS's collector runs beside the process, where the exporter
    looks for one anyway.
    """
    if settings.tracing != "auto":
        return "LINKFERRY_TRACING says so" if settings.tracing == "on" else None
    for name in ADDRESSES:
        if os.environ.get(name):
            return f"{name} is set"
    where = settings.where
    has_it_beside = where.is_aws and not where.keeps_files
    return f"it is installed inside {where.place}" if has_it_beside and is_installed() else None


def is_installed() -> bool:
    """Whether the extra is there."""
    try:
        return bool(version(PACKAGE))
    except PackageNotFoundError:
        return False


def start(processor: "SpanProcessor", where: Environment | None = None) -> None:
    """Give every span from now on to `processor`."""
    global _tracer, _end
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider

    end_tracing()
    said = OTELResourceDetector().detect().attributes  # what the standard variables say wins
    resource = Resource.create({"service.name": "linkferry", **_cloud(where), **said})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(processor)
    _tracer, _end = provider.get_tracer("linkferry"), provider.shutdown


def end_tracing() -> None:
    """Trace no more. What was traced so far has `FLUSH` seconds to leave."""
    global _tracer, _end
    if _end is not None:
        ending = threading.Thread(target=_end, name="last spans", daemon=True)
        ending.start()
        ending.join(FLUSH)
    _tracer = _end = None


def is_on() -> bool:
    """Whether anything is traced."""
    return _tracer is not None


@contextmanager
def span(name: str, parent: str | None = None, kind: str = "internal", **facts: object) -> Iterator[None]:
    """A span around the block: below `parent`, else below the one we are in. An exception marks it."""
    if _tracer is None:
        yield
        return
    from opentelemetry.trace import use_span

    here = _begin(_tracer, name, parent, kind, facts)
    try:
        with use_span(here, record_exception=False, set_status_on_exception=False):
            yield
    except BaseException as error:
        _mark(here, error)
        raise
    finally:
        here.end()


def begin(name: str, **facts: object) -> Callable[[BaseException | None], None]:
    """A span that ends when what is returned is called, with the error if there was one."""
    if _tracer is None:
        return ignored
    here = _begin(_tracer, name, None, "internal", facts)

    def end(error: BaseException | None) -> None:
        if error is not None:
            _mark(here, error)
        here.end()

    return end


def ignored(error: BaseException | None) -> None:
    """The end of what is not traced."""


def passed(name: str, parent: str | None, began: int, **facts: object) -> str | None:
    """A consumer's span, from `began` (`time.time_ns`) until now; the place in the trace to go on from."""
    if _tracer is None:
        return parent
    here = _begin(_tracer, name, parent, "consumer", facts, began)
    here.end()
    return _written(here)


def failed(error: BaseException) -> None:
    """What the span we are in is about has gone wrong, although no exception leaves its block."""
    if _tracer is not None:
        _mark(_here(), error)


def tell(**facts: object) -> None:
    """More about the span we are in."""
    if _tracer is not None:
        _here().set_attributes(_attributes(facts))


def link(other: str | None) -> None:
    """The span we are in has to do with that trace, unless that is the one it is in."""
    if _tracer is None or other is None:
        return
    here, there = _here(), _here(_context(other)).get_span_context()
    if there.is_valid and there.trace_id != here.get_span_context().trace_id:
        here.add_link(there)


def current() -> str | None:
    """Where we are, as others can go on from there; None where nothing is traced."""
    return None if _tracer is None else _written(_here())


def trace_id() -> str | None:
    """The id of the trace we are in, for logs."""
    here = current()
    return here and here.split("-")[1]


class NowAndThen(logging.Filter):
    """Lets one record pass, and another one after `pause` seconds."""

    def __init__(self, pause: float) -> None:
        super().__init__()
        self._pause = pause
        self._next = float("-inf")

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is time again."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._pause
        return True


def _begin(
    tracer: "Tracer",
    name: str,
    parent: str | None,
    kind: str,
    facts: dict[str, object],
    began: int | None = None,
) -> "Span":
    from opentelemetry.trace import SpanKind

    above = None if parent is None else _context(parent)
    return tracer.start_span(name, above, SpanKind[kind.upper()], _attributes(facts), start_time=began)


def _mark(here: "Span", error: BaseException) -> None:
    """A failure's code, or what kind of error it was; its words may hold links."""
    from opentelemetry.trace import StatusCode

    while isinstance(error, BaseExceptionGroup):
        failures = [inner for inner in error.exceptions if isinstance(inner, JobError)]
        error = (failures or error.exceptions)[0]
    kind = error.code.value if isinstance(error, JobError) else type(error).__name__
    here.set_attribute("error.type", kind)
    here.set_status(StatusCode.ERROR, kind)


def _attributes(facts: dict[str, object]) -> dict[str, str | int]:
    known = {f"linkferry.{name}": value for name, value in facts.items() if value is not None}
    return {name: value if isinstance(value, int) else str(value) for name, value in known.items()}


def _context(traceparent: str) -> "Context":
    """Of a text that is none, a context that begins a trace."""
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({TRACEPARENT: traceparent}, Context())


def _here(context: "Context | None" = None) -> "Span":
    """The span we are in; one that counts for nothing where there is none."""
    from opentelemetry.trace import get_current_span

    return get_current_span(context)


def _written(here: "Span") -> str | None:
    from opentelemetry.trace import set_span_in_context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier, set_span_in_context(here))
    return carrier.get(TRACEPARENT)


def _cloud(where: Environment | None) -> dict[str, str]:
    """What AWS's collector, and whoever reads the trace, want to know of the place."""
    if where is None or not where.is_aws:
        return {}
    platform = _PLATFORMS.get(where.place)
    return {"cloud.provider": "aws"} | ({"cloud.platform": platform} if platform else {})
