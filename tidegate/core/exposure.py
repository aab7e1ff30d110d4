"""Exposure: which users see the candidate.

    bucket(id, salt) = xxh64(salt + ":" + id, seed 0) mod 10000
    a user is exposed when bucket < exposure

From this follow: sticky without a table, monotone while it grows, immediate when it returns to zero, and predictable
offline. The hash is frozen with its vectors in tests/: a change of it would move users.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import xxhash
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from tidegate.core.errors import Invalid, quote

WHOLE = 10_000
_SHARE = re.compile(r"[0-9]{1,6}(\.[0-9]{1,9})?")
_MEND = "Write a percentage, as 10%, 2.5% or 0.01%."


class Exposure(int):
    """A whole number of ten-thousandths, 0 to 10000. Never a float."""

    def __new__(cls, points: int) -> Exposure:
        if not isinstance(points, int) or isinstance(points, bool) or not 0 <= points <= WHOLE:
            raise Invalid(f"{quote(points)} is not a share in ten-thousandths.", "Give a whole number from 0 to 10000.")
        return super().__new__(cls, points)

    def __str__(self) -> str:
        return say_share(self)

    def __repr__(self) -> str:
        return f"Exposure({int(self)})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Documents and stored state alike write it as `10%`."""
        return core_schema.no_info_plain_validator_function(
            _validate,
            serialization=core_schema.plain_serializer_function_ser_schema(say_share, return_schema=core_schema.str_schema()),
            json_schema_input_schema=core_schema.str_schema(pattern=r"^\s*[0-9]{1,6}(\.[0-9]{1,9})?\s*%\s*$"),
        )

    def covers(self, bucket: int) -> bool:
        """Whether the user with this bucket is exposed."""
        return bucket < self


NONE = Exposure(0)
FULL = Exposure(WHOLE)


def bucket(entity: str, salt: str) -> int:
    """The entity's place in 0..9999 under this salt. The same bytes are hashed by Envoy and by every agent."""
    return xxhash.xxh64_intdigest(f"{salt}:{entity}".encode(errors="surrogatepass")) % WHOLE


def parse_share(text: object) -> Exposure:
    """Reads `10%` as 1000 ten-thousandths. Raises Invalid for a bare number, or for one finer than 0.01 %."""
    if isinstance(text, Exposure):
        return text
    number = text.strip().removesuffix("%").strip() if isinstance(text, str) and text.strip().endswith("%") else ""
    if not _SHARE.fullmatch(number):
        raise Invalid(f"{quote(text)} is not a share.", _MEND)
    points = Decimal(number) * 100
    if points != points.to_integral_value():
        raise Invalid(f"{text} is finer than 0.01%.", "Exposure is counted in ten-thousandths: round it.")
    if points > WHOLE:
        raise Invalid(f"{text} is more than everybody.", "Give a share of at most 100%.")
    return Exposure(int(points))


def say_share(points: int) -> str:
    """Writes ten-thousandths as `10%` or `2.5%`."""
    whole, rest = divmod(int(points), 100)
    return f"{whole}%" if not rest else f"{whole}.{rest:02d}".rstrip("0") + "%"


def _validate(value: Any) -> Exposure:
    try:
        return parse_share(value)
    except Invalid as wrong:
        raise ValueError(str(wrong)) from wrong
