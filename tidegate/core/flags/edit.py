"""Small changes of a document: each gives the next one, checked as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tidegate.core.errors import Invalid, NotFound
from tidegate.core.flags.check import check, check_flag
from tidegate.core.flags.codec import LazyFlags
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.flag import Flag, Kind
from tidegate.core.flags.flags_file import read_flag, read_segment, simple_name
from tidegate.core.flags.segment import Segment


def turn_on(document: FlagDocument, name: str) -> FlagDocument:
    """A flag that is nothing but on or off is on for everybody; any other is enabled, and its rules say for whom."""
    flag = _find(document, name)
    if _is_plain(flag):
        return _with(document, _plain(flag, value=True))
    return _with(document, replace(flag, enabled=True))


def turn_off(document: FlagDocument, name: str) -> FlagDocument:
    """Off for everybody. Its rules stay, so that it can be turned on again as it was."""
    flag = _find(document, name)
    if _is_plain(flag):
        return _with(document, _plain(flag, value=False))
    return _with(document, replace(flag, enabled=False))


def set_flag(document: FlagDocument, name: str, content: object, what: str = "the flag") -> FlagDocument:
    """The flag as this content says, new or in the place of the one before."""
    if isinstance(content, Mapping) and "application" in content and "flags" in content:
        raise Invalid(f"{what} is a whole document.", "Deploy it: tidegate flags deploy -f FILE.")
    return _with(document, read_flag(name, content, what), what)


def remove_flag(document: FlagDocument, name: str) -> FlagDocument:
    """Raises Invalid while another flag needs it."""
    _find(document, name)
    flags = {known: flag for known, flag in document.flags.items() if known != name}
    return check(replace(document, number=0, flags=flags, text=None), "the flags")


def set_segment(document: FlagDocument, name: str, content: object, what: str = "the segment") -> FlagDocument:
    segments: dict[str, Segment] = {**document.segments, name: read_segment(name, content, what)}
    return check(replace(document, number=0, segments=segments, text=None), what)


def remove_segment(document: FlagDocument, name: str) -> FlagDocument:
    """Raises Invalid while a flag asks for it."""
    if name not in document.segments:
        known = ", ".join(sorted(document.segments)[:10]) or "none"
        raise NotFound(f"{document.application} has no segment {name!r}.", f"Known segments: {known}.")
    segments = {known: segment for known, segment in document.segments.items() if known != name}
    return check(replace(document, number=0, segments=segments, text=None), "the flags")


def _find(document: FlagDocument, name: str) -> Flag:
    if name not in document.flags:
        known = ", ".join(sorted(document.flags)[:10]) or "none"
        raise NotFound(f"{document.application} has no flag {name!r}.", f"Known flags: {known}.")
    return document.flags[name]


def _is_plain(flag: Flag) -> bool:
    only = flag.variants[0]
    return flag.kind is Kind.BOOLEAN and len(flag.variants) == 1 and only.rule is None and flag.targeting is None


def _plain(flag: Flag, *, value: bool) -> Flag:
    variant = replace(flag.variants[0], name=simple_name(value), value=value)
    return replace(flag, enabled=True, variants=(variant,))


def _with(document: FlagDocument, flag: Flag, what: str = "the flags") -> FlagDocument:
    flags = document.flags.changed(flag) if isinstance(document.flags, LazyFlags) else {**document.flags, flag.name: flag}
    return check_flag(replace(document, number=0, flags=flags, text=None), flag.name, what)
