"""Traces by OTLP over HTTP, as the OTEL_* variables say (endpoint, headers, certificates, timeout, resource).

The only file that knows OpenTelemetry; it is imported when traces are wanted.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from tidegate import __version__
from tidegate.core.errors import Unreachable
from tidegate.core.trace import Note, Span, Trace

_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


class OtlpCollector:
    """Implements tracing.Collector."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        env = os.environ if environ is None else environ
        named = {} if env.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: "tidegate"}
        self._resource = Resource.create(named)
        self._scope = InstrumentationScope("tidegate", __version__)
        self._exporter = OTLPSpanExporter()

    def collect(self, trace: Trace) -> None:
        if self._exporter.export([self._span(trace.id, span) for span in trace.spans]) is not SpanExportResult.SUCCESS:
            raise Unreachable("Nobody took the trace of a rollout.", "See OTEL_EXPORTER_OTLP_ENDPOINT and the collector.")

    def close(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # theirs has no annotations

    def _span(self, trace: bytes, span: Span) -> ReadableSpan:
        return ReadableSpan(
            name=span.name,
            context=_context(trace, span.id),
            parent=_context(trace, span.parent) if span.parent else None,
            resource=self._resource,
            attributes=dict(span.facts),
            events=[_event(note) for note in span.notes],
            kind=SpanKind.INTERNAL,
            status=Status(StatusCode.ERROR, span.failed) if span.failed else Status(StatusCode.OK),
            start_time=_nanoseconds(span.begin),
            end_time=_nanoseconds(span.end),
            instrumentation_scope=self._scope,
        )


def _context(trace: bytes, span: bytes) -> SpanContext:
    return SpanContext(int.from_bytes(trace), int.from_bytes(span), is_remote=False, trace_flags=_SAMPLED)


def _event(note: Note) -> Event:
    return Event(note.name, dict(note.facts), _nanoseconds(note.at))


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000) * 1000
