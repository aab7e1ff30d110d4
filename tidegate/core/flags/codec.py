"""The canonical text of a document, its digest, and the way back.

One document has one text: JSON with sorted keys, no spaces, rules in Tidegate's own words, and nothing that is as it is by
default. Only mappings that are values keep their order: it may mean something to whoever reads them. Agents load this text:
flags are decoded one by one when they are first asked, so that 10,000 of them are there at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from tidegate.core.errors import Invalid
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.flag import Flag, Kind
from tidegate.core.flags.flag_codec import decode_flag, encode_flag, parsed, say_damage
from tidegate.core.flags.rule import TARGETING_KEY, InSegment, walk
from tidegate.core.flags.rule_words import say_rule
from tidegate.core.flags.segment import Segment

FORMAT = 1
_AGAIN = "Fetch the document again; the control plane keeps every one."


def encode(document: FlagDocument) -> str:
    return document.text if document.text is not None else numbering(document)(document.number)


def numbering(document: FlagDocument) -> Callable[[int], str]:
    """The text of this content by number: all of it but the number is written once."""
    flags = ",".join(f"{_dump(name)}:{_text(document.flags, name)}" for name in sorted(document.flags))
    segments = _sorted({name: _encode_segment(segment) for name, segment in document.segments.items()})
    head = f'{{"application":{_dump(document.application)},"flags":{{{flags}}}'
    tail = _dump({"segments": segments, "tidegate": FORMAT}).removeprefix("{")
    return lambda number: f'{head},"number":{number},{tail}'


def _text(flags: Mapping[str, Flag], name: str) -> str:
    return flags.text(name) if isinstance(flags, LazyFlags) else _dump(_in_order(encode_flag(flags[name])))


def _dump(content: object) -> str:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _in_order(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Of one flag."""
    said = {key: raw[key] if key in ("off", "variants") else _sorted(raw[key]) for key in sorted(raw)}
    return said | {"variants": [dict(sorted(variant.items())) for variant in said["variants"]]}


def _sorted(value: Any) -> Any:
    match value:
        case dict():
            return {key: _sorted(value[key]) for key in sorted(value)}
        case list():
            return [_sorted(item) for item in value]
        case _:
            return value


def digest_of(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def digest(document: FlagDocument) -> str:
    return digest_of(encode(document))


def same_content(one: FlagDocument, other: FlagDocument) -> bool:
    """Whether they differ in nothing but their numbers."""
    return encode(replace(one, number=0, text=None)) == encode(replace(other, number=0, text=None))


def decode(text: str, expected: str | None = None) -> FlagDocument:
    """Raises Invalid when it is not what was written, above all when its digest is not the `expected` one."""
    if expected is not None and digest_of(text) != expected:
        raise Invalid(f"The flag document has the digest {digest_of(text)[:15]}..., not {expected[:15]}...", _AGAIN)
    try:
        content = json.loads(text)
        if content["tidegate"] != FORMAT:
            raise Invalid(
                f"The flag document has format {content['tidegate']!r}, not {FORMAT}.", "Update Tidegate on this side."
            )
        flags, segments = content["flags"], content["segments"]
        return FlagDocument(
            application=str(content["application"]),
            number=int(content["number"]),
            flags=LazyFlags(_mappings(flags)),
            segments={name: _decode_segment(name, raw) for name, raw in segments.items()},
            text=text,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as wrong:
        raise Invalid(f"The flag document cannot be read: {say_damage(wrong)}.", _AGAIN) from wrong


def _mappings(flags: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(flags, dict) or not all(isinstance(raw, dict) for raw in flags.values()):
        raise TypeError("its flags are no mappings")
    return flags


class LazyFlags(Mapping[str, Flag]):
    """Flags as they were written, each decoded when it is first asked for. Raises Invalid for one that cannot be."""

    __slots__ = ("_changed", "_decoded", "_texts", "_written")

    def __init__(self, written: dict[str, dict[str, Any]]) -> None:
        self._written = written
        self._decoded: dict[str, Flag] = {}
        self._texts: dict[str, str] = {}  # shared with what was changed after it
        self._changed: dict[str, str] = {}

    def __getitem__(self, name: str) -> Flag:
        flag = self._decoded.get(name)
        if flag is None:
            flag = self._decoded[name] = decode_flag(name, self._written[name])
        return flag

    def __iter__(self) -> Iterator[str]:
        return iter(self._written)

    def __len__(self) -> int:
        return len(self._written)

    def __contains__(self, name: object) -> bool:
        return name in self._written

    def __eq__(self, other: object) -> bool:
        return dict(self) == (dict(other) if isinstance(other, LazyFlags) else other)

    __hash__ = None  # type: ignore[assignment]

    def written(self, name: str) -> dict[str, Any]:
        return self._written[name]

    @property
    def all_written(self) -> Mapping[str, dict[str, Any]]:
        return self._written

    def needy(self) -> Iterator[Flag]:
        """Those that need another one. Only they are decoded."""
        return (self[name] for name, raw in self._written.items() if raw.get("needs"))

    def having(self, *keys: str) -> Iterator[Flag]:
        """Those that have one of these keys. Only they are decoded."""
        return (self[name] for name, raw in self._written.items() if any(raw.get(key) for key in keys))

    def changed(self, flag: Flag) -> LazyFlags:
        """With this flag, new or in the place of the one before. All others stay as they were written."""
        written = encode_flag(flag)
        after = LazyFlags({**self._written, flag.name: written})
        after._decoded = {**self._decoded, flag.name: flag}
        after._texts, after._changed = self._texts, {**self._changed, flag.name: _dump(_in_order(written))}
        return after

    def text(self, name: str) -> str:
        """Its part of the canonical text, written once."""
        text = self._changed.get(name) or self._texts.get(name)
        if text is None:
            text = self._texts[name] = _dump(_in_order(self._written[name]))
        return text


def _raw(flags: Mapping[str, Flag]) -> Mapping[str, dict[str, Any]]:
    return flags.all_written if isinstance(flags, LazyFlags) else {name: encode_flag(flag) for name, flag in flags.items()}


def changed_flags(old: FlagDocument, new: FlagDocument) -> frozenset[str]:
    """Flags that are in one of them, or defined otherwise, or rest on a segment or a flag of which that is true."""
    segments = {name for name in {*old.segments, *new.segments} if old.segments.get(name) != new.segments.get(name)}
    were, are = _raw(old.flags), _raw(new.flags)
    names = were.keys() | are.keys()
    changed = {name for name in names if not _is_same(were.get(name), are.get(name))}
    if segments:
        changed |= {name for name in names - changed if segments & segments_of(new.flags[name])}
    needs = {flag.name: {need.flag for need in flag.needs} for flag in needy_flags(new)}
    while more := {name for name in needs.keys() - changed if changed & needs[name]}:
        changed |= more
    return frozenset(changed)


def needy_flags(document: FlagDocument) -> Iterator[Flag]:
    """Those that need another one."""
    flags = document.flags
    return flags.needy() if isinstance(flags, LazyFlags) else (flag for flag in flags.values() if flag.needs)


def _is_same(was: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> bool:
    if was is None or now is None:
        return False
    return was is now or (was == now and (now["kind"] != Kind.VALUE or _mapped(was) == _mapped(now)))


def _mapped(raw: Mapping[str, Any]) -> list[str]:
    """Its mappings in their order, which counts."""
    values = [variant["value"] for variant in raw["variants"]]
    return [json.dumps(value) for value in values if isinstance(value, dict)]


def segments_of(flag: Flag) -> set[str]:
    nodes = (node for variant in flag.variants if variant.rule is not None for node in walk(variant.rule))
    return {node.name for node in nodes if isinstance(node, InSegment)}


def _encode_segment(segment: Segment) -> dict[str, Any]:
    raw: dict[str, Any] = {"description": segment.description} if segment.description else {}
    if segment.rule is not None:
        return raw | {"when": say_rule(segment.rule)}
    by = {} if segment.by == TARGETING_KEY else {"by": segment.by}
    return raw | by | {"members": sorted(segment.members)}


def _decode_segment(name: str, raw: Mapping[str, Any]) -> Segment:
    if "when" in raw:
        return Segment(name, rule=parsed(raw["when"]), description=raw.get("description", ""))
    return Segment(name, frozenset(raw["members"]), raw.get("by", TARGETING_KEY), description=raw.get("description", ""))
