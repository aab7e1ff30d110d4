"""Rules in Tidegate's own words: from the text to nodes. rule_words.py is the way back.

    rule     = both { "or" both }
    both     = test { "and" test }
    test     = "not" test | "(" rule ")" | "true" | "false" | split | "in" "segment" NAME | operand check
    check    = ("==" | "!=" | "<" | "<=" | ">" | ">=") operand | ["not"] "in" "[" literals "]" | "exists"
             | ("begins with" | "ends with" | "contains") operand | "matches" TEXT
    split    = SHARE ["to" SHARE] ["by" attribute] ["seed" TEXT]
    operand  = TEXT | NUMBER | TIMESTAMP | "true" | "false" | attribute | "(" rule ")"
    version  = "version" "(" operand ")" ("==" | "!=" | "<" | "<=" | ">" | ">=" | "^" | "~") TEXT
    other    = "logic" JSON                                          JsonLogic, within a rule

A text is JSON's, in double quotes; other escapes than JSON's stand for themselves, so that patterns may be written plainly.
An attribute is a bare word, or $"any text". `!=` is `not ==`: true also when the attribute is missing.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from typing import NoReturn

from tidegate.core.errors import Invalid, quote
from tidegate.core.exposure import parse_share
from tidegate.core.flags.jsonlogic import read_logic
from tidegate.core.flags.pattern import pattern_fault
from tidegate.core.flags.rule import (
    ALWAYS,
    COMPARISONS,
    NEVER,
    TARGETING_KEY,
    TEXT_TESTS,
    VERSION_TESTS,
    All,
    AnyOf,
    Attribute,
    Compare,
    Constant,
    Exists,
    In,
    InSegment,
    Literal,
    Matches,
    Node,
    Not,
    Split,
    TextTest,
    Version,
)
from tidegate.core.flags.semver import parse_version
from tidegate.core.flags.timestamp import parse_timestamp

LONGEST = 100_000
_SHORT = 500
DEEPEST = 40
KEYWORDS = frozenset(("and", "or", "not", "in", "segment", "exists", "begins", "ends", "with", "contains", "matches", "by"))
KEYWORDS |= {"seed", "to", "version", "true", "false", "logic"}
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:[.-][A-Za-z0-9_]+)*")

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<text>"(?:[^"\\]|\\.)*")
  | (?P<quoted>\$"(?:[^"\\]|\\.)*")
  | (?P<moment>\d{4}-\d\d(?:-\d\d(?:T[0-9:.]{5,18}(?:Z|[+-]\d\d:\d\d)?)?)?)(?![\w.-])
  | (?P<share>\d+(?:\.\d+)?\s*%)
  | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])
  | (?P<word>"""
    + NAME.pattern
    + r""")
  | (?P<sign>==|!=|<=|>=|[<>()\[\],^~])
    )""",
    re.VERBOSE | re.ASCII,
)


_TEXTS = json.JSONDecoder(strict=False)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def _keep_unknown(escape: re.Match[str]) -> str:
    """`\\.` and `\\d` are no escapes of JSON: in a pattern they are meant as they stand."""
    return escape[0] if escape[1] in '"\\/bfnrtu' else f"\\\\{escape[1]}"


@dataclass(slots=True)
class _Token:
    kind: str
    text: str
    at: int
    end: int


def parse_rule(text: str) -> Node:
    """Raises ValueError: a sentence with the place in the rule, a line break and the mend."""
    if len(text) > LONGEST:
        raise ValueError(f"the rule has {len(text):,} characters.\nKeep it below {LONGEST:,}; put long lists into a segment.")
    return _parsed(text) if len(text) > _SHORT else _remembered(text)


@functools.lru_cache(maxsize=16_384)
def _remembered(text: str) -> Node:
    """From one document to the next most rules stay as they are."""
    return _parsed(text)


def _parsed(text: str) -> Node:
    reader = _Reader(text)
    rule = reader.rule()
    if reader.now.kind != "end":
        reader.wrong("is too much", "Join tests with `and` or `or`.")
    return rule


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.depth = 0
        self.now = self._token(0)

    # --- Rules -----------------------------------------------------------------------------------------------------------

    def rule(self) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            raise ValueError(f"the rule is nested deeper than {DEEPEST} levels.\nWrite it flatter, or use a segment.")
        parts = [self._both()]
        while self._take("or"):
            parts.append(self._both())
        self.depth -= 1
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _both(self) -> Node:
        parts = [self._test()]
        while self._take("and"):
            parts.append(self._test())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _test(self) -> Node:
        if self._take("not"):
            self.depth += 1
            inner = Not(self._test()) if self.depth <= DEEPEST else self.wrong("is nested too deep", "Write it flatter.")
            self.depth -= 1
            return inner
        if self.now.kind == "share":
            return self._split()
        if self._take("in"):
            return self._segment()
        if self._take("version"):
            return self._version()
        if self._take("logic"):
            return self._logic()
        began = self.now
        return self._check(self._operand(), began)

    def _check(self, left: Node, began: _Token) -> Node:
        sign = self.now.text if self.now.kind == "sign" else ""
        if sign in COMPARISONS or sign == "!=":
            self._next()
            right = self._operand()
            return Not(Compare("==", left, right)) if sign == "!=" else Compare(sign, left, right)
        if self._take("not"):
            self._expect("in")
            return Not(self._in(left))
        if self._take("in"):
            return self._in(left)
        if self._take("exists"):
            return Exists(left.name) if isinstance(left, Attribute) else self.wrong("is no attribute", "Name one.", began)
        if self._take("matches"):
            return self._matches(left)
        for test in TEXT_TESTS:
            first, _, second = test.partition(" ")
            if self._take(first):
                if second:
                    self._expect(second)
                return TextTest(test, left, self._operand())
        return self._bare(left, began)

    def _bare(self, left: Node, began: _Token) -> Node:
        if self.now.kind == "unknown":
            self.wrong("is not expected", "Compare with ==, !=, <, <=, > or >=; put texts in double quotes.")
        if isinstance(left, Attribute):
            self.wrong("stands alone", f"Say what it must be, as {left.name} == true or {left.name} exists.", began)
        if not isinstance(left, Constant):
            return left
        if isinstance(left.value, bool):
            return ALWAYS if left.value else NEVER
        return self.wrong("stands alone", 'Compare it with an attribute, as country == "DE".', began)

    def _split(self) -> Node:
        low, high = 0, self._share()
        if self._take("to"):
            low, high = high, self._share()
            if low >= high:
                raise ValueError(f"the split from {low / 100:g}% to {high / 100:g}% is empty.\nGive the smaller share first.")
        by = self._attribute() if self._take("by") else TARGETING_KEY
        return Split(by, low, high, self._string() if self._take("seed") else None)

    def _share(self) -> int:
        token = self.now
        if token.kind != "share":
            self.wrong("is no share", "Write a percentage, as 10% or 2.5%.")
        self._next()
        try:
            return int(parse_share(token.text))
        except Invalid as wrong:
            raise ValueError(f"{wrong.what}\n{wrong.mend}") from wrong

    def _segment(self) -> Node:
        self._expect("segment")
        return InSegment(self._attribute())

    def _in(self, item: Node) -> Node:
        if self.now.text == "segment":
            self.wrong("is too much", "Write `in segment NAME` alone: the segment says by which attribute.")
        self._expect("[")
        values: list[Literal] = []
        while not self._take("]"):
            if values:
                self._expect(",")
            operand = self._operand()
            if not isinstance(operand, Constant):
                self.wrong("is no constant", "List texts in double quotes, numbers, or timestamps.")
            values.append(operand.value)
        return In(item, tuple(values))

    def _matches(self, text: Node) -> Node:
        # No pattern looks for a backspace: \b is the edge of a word.
        pattern = self._string().replace("\b", r"\b")
        if fault := pattern_fault(pattern):
            raise ValueError(fault)
        return Matches(text, pattern)

    def _version(self) -> Node:
        self._expect("(")
        text = self._operand()
        self._expect(")")
        operator = self.now.text
        if self.now.kind != "sign" or operator not in VERSION_TESTS:
            self.wrong("compares no versions", f"Use one of {' '.join(VERSION_TESTS)}.")
        self._next()
        than = self._string()
        if parse_version(than) is None:
            raise ValueError(f'{quote(than)} is not a version.\nWrite one as "2.1.0" or "2.1".')
        return Version(text, operator, than)

    def _logic(self) -> Node:
        try:
            content, end = json.JSONDecoder().raw_decode(self.text, self.now.at)
        except (ValueError, RecursionError) as wrong:
            raise ValueError(f"what follows `logic` is not JSON: {str(wrong)[:80]}.\nWrite JsonLogic, as in flagd.") from wrong
        self.now = self._token(end)
        return read_logic(content)

    # --- Operands --------------------------------------------------------------------------------------------------------

    def _operand(self) -> Node:
        token = self.now
        match token.kind:
            case "text" | "number" | "moment":
                self._next()
                return Constant(self._literal(token))
            case "quoted":
                return Attribute(self._attribute())
            case "word" if token.text in ("true", "false"):
                self._next()
                return Constant(token.text == "true")
            case "word" if token.text not in KEYWORDS:
                self._next()
                return Attribute(token.text)
            case "sign" if token.text == "(":
                self._next()
                inner = self.rule()
                self._expect(")")
                return inner
        return self.wrong("is not expected", 'Expected: an attribute, a text in double quotes, a number or "(".')

    def _literal(self, token: _Token) -> Literal:
        if token.kind == "text":
            return self._unquoted(token, token.text)
        if token.kind == "moment":
            moment = parse_timestamp(token.text)
            return moment if moment is not None else self.wrong("is no moment", "Write 2026-01-31T12:00:00Z.", token)
        return self._number(token)

    def _number(self, token: _Token) -> int | float:
        try:
            number = int(token.text) if token.text.lstrip("-").isdigit() else float(token.text)
        except ValueError:
            return self.wrong("has too many digits", "Give a smaller number.", token)
        limit = 2**63 if isinstance(number, int) else 1.8e308
        return number if -limit <= number < limit else self.wrong("is too large", "Give a smaller number.", token)

    def _attribute(self) -> str:
        token = self.now
        if token.kind == "quoted":
            self._next()
            return self._unquoted(token, token.text[1:])
        if token.kind != "word" or token.text in KEYWORDS:
            self.wrong("is no name", 'Write a name; one with other characters or a word of rules as $"the name".')
        self._next()
        return token.text

    def _string(self) -> str:
        token = self.now
        if token.kind != "text":
            self.wrong("is no text", "Put a text in double quotes there.")
        self._next()
        return self._unquoted(token, token.text)

    def _unquoted(self, token: _Token, text: str) -> str:
        try:
            return str(_TEXTS.decode(_ESCAPE.sub(_keep_unknown, text) if "\\" in text else text))
        except ValueError:
            return self.wrong("has a wrong escape", 'Write \\" and \\\\ for a quote and a backslash.', token)

    # --- Tokens ----------------------------------------------------------------------------------------------------------

    def _token(self, at: int) -> _Token:
        found = _TOKEN.match(self.text, at)
        if found is not None and found.lastgroup is not None:
            return _Token(found.lastgroup, found[found.lastgroup], found.start(found.lastgroup), found.end())
        rest = self.text[at:]
        begin = at + len(rest) - len(rest.lstrip())
        return _Token("end" if begin == len(self.text) else "unknown", self.text[begin : begin + 20], begin, begin)

    def _next(self) -> None:
        self.now = self._token(self.now.end)

    def _take(self, text: str) -> bool:
        if self.now.text != text or self.now.kind not in ("word", "sign"):
            return False
        self._next()
        return True

    def _expect(self, text: str) -> None:
        if not self._take(text):
            self.wrong("is not expected", f"Write {quote(text)} there.")

    def wrong(self, why: str, mend: str, token: _Token | None = None) -> NoReturn:
        token = token or self.now
        if token.kind == "end":
            raise ValueError(f"the rule ends too early.\n{mend}")
        raise ValueError(f"{quote(token.text)} (character {token.at + 1} of the rule) {why}.\n{mend}")
