"""How the answers of a Prometheus server are read: one series of figures, or counters of whoever exposes them. Pure."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from tidegate.ports import Measurement

MOST_SERIES = 10_000


class Wrong(Exception):
    """The server does not take this query, or answers something else than is wanted: what, and on a second line the mend."""


def one_series(data: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """The one series, or an empty one. `kind`: a range has a matrix, a moment has a vector."""
    match data:
        case {"resultType": "scalar", "result": point}:
            return {"values": [point]}
        case {"resultType": found, "result": []} if found == kind:
            return {}
        case {"resultType": found, "result": [one]} if found == kind:
            return cast("Mapping[str, Any]", one)
        case {"resultType": found, "result": [one, other, *_]} if found == kind:
            several = f"{len(data['result'])} series, as {_labels(one)} and {_labels(other)}"
            raise Wrong(f"It answers {several}; one is wanted.\nAdd them up with sum(...), or name one by its labels.")
        case _:
            raise Wrong(
                "It answers no numbers of one moment.\nLeave out [..], or use rate(...), max_over_time(...) and the like."
            )


def _labels(series: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f'{name}="{value}"' for name, value in series.get("metric", {}).items())[:100] + "}"


def points(series: Mapping[str, Any]) -> list[tuple[datetime, str]]:
    return [(datetime.fromtimestamp(float(at), UTC), str(text)) for at, text in series.get("values", ())]


def number(text: str) -> float | None:
    """None for NaN."""
    value = float(text)
    if math.isnan(value):
        return None
    return max(-sys.float_info.max, min(sys.float_info.max, value))


def counters(data: Mapping[str, Any]) -> list[Measurement]:
    """Each series as the counter of whoever exposed it."""
    if data.get("resultType") != "vector":
        raise Wrong(f"It answers a {data.get('resultType')}.\nAsk for a counter, by its name and labels.")
    if len(data["result"]) > MOST_SERIES:
        raise Wrong(f"It answers {len(data['result']):,} series.\nAsk for less, by labels.")
    found: list[Measurement] = []
    for series in data["result"]:
        labels = {str(name): str(value) for name, value in series["metric"].items()}
        if "__name__" not in labels:
            raise Wrong(
                f"It answers {_labels(series)}, which is no counter but was computed from some.\n"
                "Ask for the counters themselves, without sum and rate: what they grow by is added up here."
            )
        value = number(str(series["value"][1]))
        if value is not None:
            task = f"{labels.get('job', '')}/{labels.get('instance', '')}"
            found.append(
                Measurement(labels["__name__"], value, labels, "histogram" if "le" in labels else "counter", task=task)
            )
    return found
