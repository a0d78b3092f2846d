"""What was traced: kept in this process, or received as a collector would, with protobuf over HTTP."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode, format_span_id, format_trace_id

from shared import tracing


@dataclass(frozen=True)
class Traced:
    """A span, whichever way it came. `service` is the name of the process's service, where that is known."""

    name: str
    trace: str
    id: str
    parent: str | None
    kind: str
    facts: dict[str, Any]
    links: tuple[str, ...]
    is_error: bool
    service: str = ""

    def __getitem__(self, name: str) -> Any:
        return self.facts[f"linkferry.{name}"]


class Traces:
    """Spans that have ended, in that order."""

    def ended(self) -> Sequence[Traced]:
        """All of them."""
        raise NotImplementedError

    def named(self, name: str) -> list[Traced]:
        """Those of this name."""
        return [span for span in self.ended() if span.name == name]

    def one(self, name: str) -> Traced:
        """The only one of this name."""
        (found,) = self.named(name)
        return found

    def way(self, span: Traced) -> list[str]:
        """The names from the beginning of its trace down to it."""
        above = next((each for each in self.ended() if each.id == span.parent), None)
        assert (above is None) == (span.parent is None), f"what is above {span.name} is missing"
        return [*(self.way(above) if above else []), span.name]


class Kept(Traces):
    """In memory."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def ended(self) -> Sequence[Traced]:
        """All of them."""
        return [_read(span) for span in self._exporter.get_finished_spans()]


@contextmanager
def kept() -> Iterator[Kept]:
    """Everything traced inside."""
    exporter = InMemorySpanExporter()
    tracing.start(SimpleSpanProcessor(exporter))
    try:
        yield Kept(exporter)
    finally:
        tracing.end_tracing()


def _read(span: ReadableSpan) -> Traced:
    assert span.context is not None
    return Traced(
        name=span.name,
        trace=format_trace_id(span.context.trace_id),
        id=format_span_id(span.context.span_id),
        parent=format_span_id(span.parent.span_id) if span.parent else None,
        kind=span.kind.name,
        facts=dict(span.attributes or {}),
        links=tuple(format_trace_id(link.context.trace_id) for link in span.links),
        is_error=span.status.status_code is StatusCode.ERROR,
    )


class Collector(Traces):
    """An OTLP receiver on loopback, in a thread. `silent`: it takes what is sent and never answers."""

    def __init__(self, *, silent: bool = False) -> None:
        self._spans: list[Traced] = []
        self._released = threading.Event()
        if not silent:
            self._released.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """What OTEL_EXPORTER_OTLP_ENDPOINT is to be."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def ended(self) -> Sequence[Traced]:
        """All that came so far."""
        return list(self._spans)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        spans, released = self._spans, self._released

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert (self.path, self.headers["Content-Type"]) == ("/v1/traces", "application/x-protobuf")
                spans.extend(_received(ExportTraceServiceRequest.FromString(body)))
                released.wait()
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def _received(message: Any) -> Iterator[Traced]:
    for resource in message.resource_spans:
        about = {each.key: each.value.string_value for each in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Traced(
                    name=span.name,
                    trace=span.trace_id.hex(),
                    id=span.span_id.hex(),
                    parent=span.parent_span_id.hex() or None,
                    kind=type(span).SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
                    facts={each.key: _value(each.value) for each in span.attributes},
                    links=tuple(link.trace_id.hex() for link in span.links),
                    is_error=span.status.code == Status.STATUS_CODE_ERROR,
                    service=about["service.name"],
                )


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))
