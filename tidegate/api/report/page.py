"""One self-contained HTML file of a finished rollout: the dashboard's parts and charts, with style, script and figures inside.

Its policy lets it run just this script, and ask nobody for anything: it may be sent by mail and opened from a disk.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from tidegate import __version__
from tidegate.api.dashboard import paper, words
from tidegate.api.dashboard.decisions import decisions
from tidegate.engine.course import NAMES, Course
from tidegate.engine.view import RolloutView
from tidegate.ports import Event

_STATIC = Path(paper.__file__).with_name("static")
_PARTS = {name: f"rollout/{name}.html" for name in ("now", "plan", "harm", "evidence", "decisions")}
_CHARTS = (("errors", "Errors"), ("latency", "Latency, p99"), ("requests", "Requests a second"), ("exposure", "Exposure"))
_BEGIN = """\
const course = JSON.parse(document.getElementById("course").textContent);
Charts.begin()(course.names, course.rows, true);
"""


def report(view: RolloutView, events: Sequence[Event], course: Course, now: datetime) -> str:
    """Of a rollout that has ended."""
    style, script = _style(), _script()
    content = {
        "view": view,
        "headline": words.headline(view),
        "strip": words.strip(view),
        "decisions": decisions(events),
        "problems": [],  # of the controller as it is now: no matter of this rollout
    }
    return _template().render(
        view=view,
        words=words,
        parts=paper.parts(_PARTS, content),
        charts=_CHARTS,
        policy=_policy(style, script),
        style=Markup(style),
        script=Markup(script),
        course=Markup(_json(course)),
        begun=_moment(view.created),
        ended=_moment(view.ended or now),
        written=_moment(now),
        version=__version__,
    )


def _policy(style: str, script: str) -> str:
    return f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _json(course: Course) -> str:
    """Numbers and our own names only, and even so nothing in it could end the element that it stands in."""
    return json.dumps({"names": NAMES, "rows": course.to_rows()}, separators=(",", ":")).replace("<", "\\u003c")


@lru_cache
def _style() -> str:
    return (_STATIC / "tidegate.css").read_text()


@lru_cache
def _script() -> str:
    return f"{(_STATIC / 'charts.js').read_text()}\n{_BEGIN}"


@lru_cache
def _template() -> Template:
    loader = PackageLoader("tidegate.api.report")
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return made.get_template("report.html")


def _moment(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
