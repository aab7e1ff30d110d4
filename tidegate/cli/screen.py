"""Where answers are printed: a terminal of any width, a file, a pipe, with or without colours and UTF-8."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass
from typing import Any

from rich.console import Console, RenderableType

from tidegate.core.errors import TidegateError

_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """A text of somebody else, as it may be shown: nothing in it moves the cursor, colours, rings or turns letters round."""
    return _CONTROLS.sub("?", _ESCAPES.sub("", text))


def clean_line(text: str) -> str:
    return " ".join(clean(text).split())


@dataclass(frozen=True, slots=True)
class Glyphs:
    arrow: str
    full: str
    empty: str
    then: str
    more: str
    times: str


UTF8 = Glyphs(arrow="→", full="█", empty="░", then="›", more="…", times="×")
ASCII = Glyphs(arrow="->", full="#", empty=".", then=">", more="...", times="x")


@dataclass(frozen=True, slots=True)
class Screen:
    out: Console
    err: Console
    json: bool = False

    @property
    def glyphs(self) -> Glyphs:
        return UTF8 if self.out.encoding.lower().replace("-", "") == "utf8" else ASCII

    @property
    def live(self) -> bool:
        """Whether a picture may be painted over again."""
        return self.out.is_terminal and not self.out.is_dumb_terminal and not os.environ.get("NO_COLOR") and not self.json

    def say(self, what: RenderableType = "") -> None:
        if self.out.is_terminal:
            self.out.print(what)
            return
        with self.out.capture() as captured:
            self.out.print(what)
        # Tables are padded to their width: of no use in a file.
        self.out.out("\n".join(line.rstrip() for line in captured.get().splitlines()), highlight=False)

    def line(self, text: str, style: str | None = None) -> None:
        """One line that is not wrapped: for programs that read lines, and for addresses that people copy."""
        self.out.print(text, style=style, soft_wrap=True)

    def document(self, content: Any) -> None:
        """One JSON document: indented for people, in one line for programs."""
        text = json.dumps(content, indent=2 if self.out.is_terminal else None)
        self.out.out(text, highlight=False)

    def json_line(self, content: Any) -> None:
        self.out.out(json.dumps(content), highlight=False)

    def problem(self, error: TidegateError) -> None:
        """Both sentences: what happened, and the mend."""
        if self.json:
            self.document({"problem": {"detail": error.what, "mend": error.mend}})
            return
        self.err.print(clean(error.what), style="bold red", soft_wrap=True)
        self.err.print(clean(error.mend), soft_wrap=True)


def screen(*, as_json: bool = False) -> Screen:
    return Screen(_console(stderr=False), _console(stderr=True), as_json)


def _console(*, stderr: bool) -> Console:
    # Texts are never markup: what people wrote stays what they wrote.
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False, file=sys.stderr if stderr else sys.stdout)
