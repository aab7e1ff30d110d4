"""The manners of every document that people write: unknown keys are refused with the nearest name, values are frozen.

Documents are Pydantic models; `read` turns a mapping into one, or raises `Invalid` with the place, the value and the mend.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from tidegate.core.errors import Invalid


class Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)


D = TypeVar("D", bound=Document)


def read(kind: type[D], content: object, what: str) -> D:
    """Reads `content` as this kind of document. `what` names it in the error: `web.yaml`, `the plan`."""
    if not isinstance(content, Mapping):
        raise Invalid(
            f"{what} is {_kind_of(content)}, not a mapping of keys.",
            f"Start from the example: tidegate example {kind.__name__.lower()}.",
        )
    try:
        return kind.model_validate(dict(content))
    except ValidationError as wrong:
        raise _invalid(wrong, kind, what) from wrong


def _kind_of(content: object) -> str:
    return "empty" if content is None else f"a {type(content).__name__}"


def _invalid(wrong: ValidationError, kind: type[BaseModel], what: str) -> Invalid:
    first = wrong.errors()[0]
    where = _say_place(first["loc"])
    more = f" ({wrong.error_count() - 1} more)" if wrong.error_count() > 1 else ""
    match first["type"]:
        case "extra_forbidden":
            known = _known_keys(kind, first["loc"][:-1])
            return Invalid(f"{what}: unknown key {where!r}{more}.", _nearest(str(first["loc"][-1]), known), where)
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


def _say_place(loc: tuple[int | str, ...]) -> str:
    said = ""
    for part in loc:
        said += f"[{part}]" if isinstance(part, int) else f".{part}" if said else str(part)
    return said


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
