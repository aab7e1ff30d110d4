"""What a task shows at its metrics path: Prometheus' text format, or OpenMetrics, as measurements.

Only lines of metrics that alarms ask for are parsed at all, so that a task with thousands of others costs nothing, and a
broken line elsewhere harms nobody.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.samples import Sample

from tidegate.ports import Asked, Measurement

MOST_SAMPLES = 10_000
"""Of what is asked for, of one task."""
MOST_LABEL = 1000
_OPENMETRICS = "application/openmetrics-text"
_LINE = re.compile(r"(?:#\s*TYPE\s+)?([a-zA-Z_:][a-zA-Z0-9_:]*)")
_ENDINGS = ("_total", "_bucket", "_sum", "_count")


def read(text: str, content_type: str, asked: Asked) -> tuple[Measurement, ...]:
    """The measurements that are asked for. Raises ValueError, with the reason, for a text that is no such format."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in ("", "text/plain", _OPENMETRICS):
        raise ValueError(f"it shows {kind}, which is not Prometheus' text format")
    lines = "\n".join(_wanted_lines(text, asked.names))
    families: Iterable[Metric] = parse_text(f"{lines}\n")
    if kind == _OPENMETRICS:
        families = parse_openmetrics(f"{lines}\n# EOF\n")  # type: ignore[no-untyped-call]  # theirs has no annotations
    found: list[Measurement] = []
    for family in families:
        for sample in family.samples:
            found += _measurements(family, sample, asked)
            if len(found) > MOST_SAMPLES:
                raise ValueError(f"it shows more than {MOST_SAMPLES} series of what alarms ask for")
    return tuple(found)


def names_in(text: str) -> frozenset[str]:
    """Every name under which an alarm could ask for something here: of samples, and of histograms and summaries."""
    names: set[str] = set()
    for line in text.splitlines():
        found = _LINE.match(line)
        if found and (not line.startswith("#") or line.rstrip().endswith(("histogram", "summary"))):
            names.add(found[1])
    return frozenset(names)


def _wanted_lines(text: str, names: frozenset[str]) -> Iterator[str]:
    """Whole families: OpenMetrics is read strictly, and a histogram without its last bucket is none."""
    families = names | {name.removesuffix(ending) for name in names for ending in _ENDINGS}
    wanted = {family + ending for family in families for ending in ("", *_ENDINGS)}
    for line in text.splitlines():
        if (found := _LINE.match(line)) and found[1] in wanted:
            yield line


def _measurements(family: Metric, sample: Sample, asked: Asked) -> Iterator[Measurement]:
    if not math.isfinite(sample.value) or any(len(value) > MOST_LABEL for value in sample.labels.values()):
        return
    if sample.name in asked.names:
        yield _measurement(sample, _kind(family, sample), asked)
    if family.type in ("histogram", "summary") and family.name in asked.names and sample.name != family.name:
        yield _measurement(sample, "histogram", asked)


def _kind(family: Metric, sample: Sample) -> str:
    """A histogram's parts are counters when they are asked for by their own names."""
    grows = family.type == "counter" or (family.type in ("histogram", "summary") and sample.name != family.name)
    return "counter" if grows or (family.type in ("unknown", "untyped") and sample.name.endswith("_total")) else "gauge"


def _measurement(sample: Sample, kind: str, asked: Asked) -> Measurement:
    task = asked.task
    return Measurement(sample.name, float(sample.value), dict(sample.labels), kind, task.version, task.id, task.service)
