"""The manners of every document that people write: unknown keys are refused with the nearest name, values are frozen.

Documents are Pydantic models; `read` turns a mapping into one, or raises `Invalid` with the place, the value and the mend.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from tidegate.core.errors import Invalid


class Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)

    takes_sentences: ClassVar[bool] = False
    """Whether a text may stand for the whole document, as `linear 10% every 1m` for a plan."""
    begin_with: ClassVar[str] = "Write keys and their values."
    """What is said to one who gives no mapping at all."""


D = TypeVar("D", bound=Document)


def read(kind: type[D], content: object, what: str, at: str = "") -> D:
    """Reads `content` as this kind of document. `what` names it in the error: `web.yaml`, `the plan`.

    `at` is its place where it is a part of another document, as `flags.checkout`.
    """
    if isinstance(content, str) and kind.takes_sentences:
        return _validated(kind, content, what, at)
    if not isinstance(content, Mapping):
        said = f"{what}: {at!r}" if at else what
        raise Invalid(f"{said} is {_kind_of(content)}, not a mapping of keys.", kind.begin_with, at)
    return _validated(kind, dict(content), what, at)


def _validated(kind: type[D], content: object, what: str, at: str) -> D:
    try:
        return kind.model_validate(content)
    except ValidationError as wrong:
        raise _invalid(wrong, kind, what, at) from wrong


def _kind_of(content: object) -> str:
    names = {str: "a text", list: "a list", bool: "true or false", int: "a number", float: "a number"}
    return "empty" if content is None else names.get(type(content), f"a {type(content).__name__}")


def _invalid(wrong: ValidationError, kind: type[BaseModel], what: str, at: str) -> Invalid:
    errors = wrong.errors(include_url=False, include_input=False)
    # A misspelt key explains the one that is missing, and a wrong item why its list is too short.
    first = next((error for error in errors if error["type"] == "extra_forbidden"), errors[0])
    others = sum(error["loc"] != first["loc"][: len(error["loc"])] for error in errors)
    where = _join(at, _say_place(first["loc"]))
    more = f" ({others} more)" if others else ""
    match first["type"]:
        case "extra_forbidden":
            known = _known_keys(kind, first["loc"][:-1])
            return Invalid(f"{what}: unknown key {where!r}{more}.", _nearest(_short(first["loc"][-1]), known), where)
        case "missing":
            return Invalid(f"{what}: {where!r} is missing{more}.", f"Add {first['loc'][-1]!r}.", where)
        case "value_error":
            sentence, _, mend = str(first["ctx"]["error"]).partition("\n")
            return Invalid(f"{what}: {where + ': ' if where else ''}{sentence}{more}", mend or "Correct it.", where)
        case _:
            return Invalid(
                f"{what}: {where!r}: {first['msg'][0].lower()}{first['msg'][1:]}{more}.",
                "Correct this value; the schema is printed by: tidegate schema.",
                where,
            )


def _join(at: str, place: str) -> str:
    return f"{at}.{place}" if at and place and not place.startswith("[") else at + place


def _say_place(loc: tuple[int | str, ...]) -> str:
    said = ""
    for part in loc:
        said += f"[{part}]" if isinstance(part, int) else f".{_short(part)}" if said else _short(part)
    return said


def _short(part: int | str) -> str:
    """A key of any length, on one line."""
    said = str(part)
    return said if said.isprintable() and len(said) <= 60 else repr(said[:60])[1:-1] + "..." * (len(said) > 60)


def _known_keys(kind: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """The keys that the model at this place knows; of all models when the place leads through a union."""
    model: Any = kind
    for part in loc:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part) if hasattr(model, "model_fields") else None
        inner = _models_in(field.annotation) if field is not None else []
        if not inner:
            break
        model = inner[0]
    return list(model.model_fields)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in getattr(annotation, "__args__", ()) for model in _models_in(argument)]


def _nearest(key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"Did you mean {close[0]!r}?" if close else f"Known keys: {', '.join(sorted(known))}."
