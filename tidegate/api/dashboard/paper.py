"""Pages on paper: templates, what they may use, and the headers that keep every page to itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemBytecodeCache, PackageLoader, StrictUndefined
from jinja2.bccache import Bucket
from markupsafe import Markup
from starlette.background import BackgroundTask
from starlette.responses import HTMLResponse, Response

from tidegate import __version__
from tidegate.api.dashboard import words
from tidegate.core import figures
from tidegate.core.duration import say_roughly
from tidegate.core.evidence import say_evidence

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def page(template: str, *, status: int = 200, here: str = "", **content: Any) -> Response:
    """`here`: the path of the page in the navigation that it belongs to."""
    return HTMLResponse(render(template, {"here": here, **content}), status, HEADERS, background=_next())


_begun = threading.Event()
AFTER_EACH = 0.005
"""Seconds in which whoever waits for a page goes first."""


def _next() -> BackgroundTask | None:
    """While the first page is read, all others are made ready: their templates would take longer than they do themselves."""
    if _begun.is_set():
        return None
    _begun.set()
    return BackgroundTask(make_ready)


def make_ready() -> int:
    """Compiles every template; how many there are."""
    made = _templates()
    for name in made.list_templates():
        made.get_template(name)
        time.sleep(AFTER_EACH)
    return len(made.list_templates())


def sheet(template: str, *, status: int = 200, **content: Any) -> Response:
    """A part of a page that is asked for by itself, mostly with a key: it holds what not everybody may read."""
    return HTMLResponse(render(template, content), status, HEADERS)


def render(template: str, content: Mapping[str, Any]) -> str:
    return _templates().get_template(template).render(**content)


def parts(templates: Mapping[str, str], content: Mapping[str, Any]) -> dict[str, Markup]:
    """Each part of a page by its name: the page shows them first, and the live stream those that change."""
    return {name: Markup(render(template, content)) for name, template in templates.items()}


def keep_compiled(directory: Path) -> None:
    """Compiling the templates takes a fifth of a second, of an idle machine: what was compiled once is kept for the next
    controller. A changed template is compiled anew by itself."""
    _templates().bytecode_cache = _Kept(str(directory))


class _Kept(FileSystemBytecodeCache):
    """Where it cannot be kept, nothing is lost but time."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError):
            Path(self.directory).mkdir(mode=0o700, exist_ok=True)
            super().dump_bytecode(bucket)


@lru_cache
def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("tidegate.api.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "share": figures.share,
        "ms": figures.milliseconds,
        "rate": figures.rate,
        "span": figures.span,
        "count": figures.count,
        "roughly": say_roughly,
        "age": _age,
        "evidence": say_evidence,
        "clock": _clock,
        "day": _day,
        "moment": _moment,
        "stamp": _stamp,
        "iso": datetime.isoformat,
    }
    made.globals |= {"words": words, "version": __version__, "dash": figures.NONE}
    return made


def _clock(at: datetime) -> str:
    """Time of day where the controller is, which is where the reader is."""
    return at.astimezone().strftime("%H:%M:%S")


def _age(lasted: timedelta) -> str:
    """As coarse as one asks for ages, so that it does not change all the time: `40s`, `12m`, `3h`, `9d`."""
    seconds = max(0, int(lasted.total_seconds()))
    unit, size = next(
        (unit, size) for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)) if seconds >= size or size == 1
    )
    return f"{seconds // size}{unit}"


def _day(at: datetime) -> str:
    return at.astimezone().strftime("%b %d, %H:%M")


def _stamp(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _moment(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
