"""What a person wants to change in flags, as the page of a change says it: from its address and from what is typed there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import Field

from tidegate.api.flag_body import Number
from tidegate.api.needs import ApiServices
from tidegate.api.which import Which
from tidegate.core.document import Document
from tidegate.core.errors import Invalid, NotFound
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.edit import remove_flag, remove_segment, set_flag, set_segment, turn_off, turn_on
from tidegate.core.flags.flags_file import read_flags
from tidegate.core.flags.flags_writer import write_flag, write_flags, write_segment
from tidegate.core.flags.in_short import as_yaml
from tidegate.core.text import read_yaml

Do = Literal["document", "release", "flag", "new-flag", "on", "off", "remove", "segment", "new-segment", "remove-segment"]
LONGEST = 1024 * 1024
Text = Annotated[str, Field(max_length=LONGEST)]
Short = Annotated[str, Field(max_length=200)]


class ChangeBody(Document):
    """`do` says what; `name` of which flag or segment; `number` of the document that is released again."""

    do: Do
    name: Short = ""
    number: Number = 0
    text: Text = ""


class CheckBody(ChangeBody):
    base: Number = 0
    """The document that it was made from."""
    plan: Annotated[str, Field(max_length=1000)] = ""


class WhoBody(Document):
    user: Short = ""
    attributes: Annotated[str, Field(max_length=20_000)] = ""
    flag: Short = ""
    q: Short = ""
    change: ChangeBody | None = None
    """Evaluated with this change made, instead of what is in force."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One thing that can be done: how it is called, asked of the API, and typed. `types`: a text is written for it."""

    title: str
    button: str
    method: str
    path: str
    command: str
    types: str = ""
    named: bool = False
    """A name is written, too."""
    danger: bool = False


_FLAG, _SEGMENT = "/flags/{name}", "/segments/{name}"
KINDS: Mapping[str, Kind] = {
    "document": Kind("Change the flags", "Release it", "POST", "/deploy", "flags deploy -f FILE", "The document"),
    "release": Kind("Release document {number}", "Release it", "POST", "/deploy", "flags deploy --document {number}"),
    "flag": Kind("Change {name}", "Release it", "PUT", _FLAG, "flags set {name} VALUE", "The flag"),
    "new-flag": Kind("A new flag", "Release it", "PUT", _FLAG, "flags set {name} VALUE", "The flag", named=True),
    "on": Kind("Turn on {name}", "Turn on", "POST", _FLAG + "/on", "flags on {name}"),
    "off": Kind("Turn off {name}", "Turn off", "POST", _FLAG + "/off", "flags off {name}", danger=True),
    "remove": Kind("Remove {name}", "Remove", "DELETE", _FLAG, "flags remove {name}", danger=True),
    "segment": Kind("Change {name}", "Release it", "PUT", _SEGMENT, "segments set {name} VALUE", "The segment"),
    "new-segment": Kind("A new segment", "Release it", "PUT", _SEGMENT, "segments set {name} VALUE", "The segment", named=True),
    "remove-segment": Kind("Remove {name}", "Remove", "DELETE", _SEGMENT, "segments remove {name}", danger=True),
}


def api_path(which: Which, kind: Kind, name: str) -> str:
    """`{name}` stays where the name is yet to be written."""
    under = kind.path if kind.named else kind.path.replace("{name}", quote(name, safe=""))
    return f"/v1/applications/{which.application}/environments/{which.environment}{under}"


_EDITS: Mapping[str, Callable[[FlagDocument, str], FlagDocument]] = {
    "on": turn_on,
    "off": turn_off,
    "remove": remove_flag,
    "remove-segment": remove_segment,
}
_SETS: Mapping[str, Callable[[FlagDocument, str, object], FlagDocument]] = {
    "flag": set_flag,
    "new-flag": set_flag,
    "segment": set_segment,
    "new-segment": set_segment,
}


@dataclass(frozen=True, slots=True)
class Wished:
    document: FlagDocument
    base: int
    """Number of the document that it was made from; 0 for none."""


def wished(services: ApiServices, which: Which, change: ChangeBody) -> Wished:
    """The document as it would be, numbered. Raises Invalid with the place in the text, and NotFound."""
    orders, base = services.flags.orders, base_of(services, which)
    if change.do == "release":
        return Wished(orders.document(which.application, change.number), base.number)
    if change.do == "document":
        document = read_flags(read_yaml(change.text, "the document", LONGEST))
        if document.application != which.application:
            what = f"The document is of {document.application}, this page is of {which.application}."
            raise Invalid(what, "Name that application in its first line.", "application")
    elif change.do in _EDITS:
        document = _EDITS[change.do](base, change.name)
    else:
        document = _set(base, change)
    return Wished(orders.numbered(document), base.number)


def _set(base: FlagDocument, change: ChangeBody) -> FlagDocument:
    if not change.name:
        raise Invalid("It has no name yet.", "Write one.", "name")
    known = base.flags if change.do == "new-flag" else base.segments if change.do == "new-segment" else {}
    if change.name in known:
        raise Invalid(f"There is {change.name} already.", "Choose another name, or change that one.", "name")
    thing = "the segment" if change.do.endswith("segment") else "the flag"
    return _SETS[change.do](base, change.name, read_yaml(change.text, thing, LONGEST))


def base_of(services: ApiServices, which: Which) -> FlagDocument:
    """The document in force, or an empty one."""
    view = services.flags.glance.environment(which.subject)
    if view.document is None:
        return FlagDocument(which.application)
    return services.flags.orders.document(which.application, view.document)


_NEW = {
    "new-flag": "description: \nowner: \nwhen: in segment staff or 10%",
    "new-segment": "[anna, bert]",
}


MOST_FLAGS, MOST_IDS = 1_000, 20_000
"""Of what is typed on a page: more would be looked at for seconds at each key, and nobody finds his way in it."""


def text_of(base: FlagDocument, do: str, name: str, where: str) -> str:
    """What is there to be changed, as a person would write it. Raises NotFound, and Invalid for what is too long."""
    ids = {one: len(base.segments[one].members) for one in base.segments if do == "document" or one == name}
    flags = len(base.flags) if do == "document" else 0
    if flags > MOST_FLAGS or (do in ("document", "segment") and sum(ids.values()) > MOST_IDS):
        said = f"{flags:,} flags and {sum(ids.values()):,} ids in segments" if do == "document" else f"{ids[name]:,} ids"
        raise Invalid(f"It has {said}: too much to be typed on a page.", _on_the_command_line(where))
    match do:
        case "flag":
            text = as_yaml(write_flag(_find(base.flags, name, "flag")))
        case "segment":
            text = as_yaml(write_segment(_find(base.segments, name, "segment")))
        case "document":
            text = as_yaml(write_flags(base))
        case _:
            text = _NEW.get(do, "")
    if len(text) > LONGEST:
        raise Invalid(f"It has {len(text):,} characters: too much to be typed on a page.", _on_the_command_line(where))
    return text


def _on_the_command_line(where: str) -> str:
    here = f"-e {where}"
    return (
        "Change one flag at a time, or all of it on the command line: "
        f"tidegate flags show {here} > flags.yaml, then tidegate flags deploy -f flags.yaml {here}."
    )


def _find(known: Mapping[str, Any], name: str, thing: str) -> Any:
    if name not in known:
        raise NotFound(f"There is no {thing} {name!r} in force.", f"Look at the list: it has {len(known):,}.")
    return known[name]


def context_of(body: WhoBody) -> dict[str, Any]:
    """The attributes as they were typed, and the id of the user as targeting key."""
    given = read_yaml(body.attributes, "the attributes") if body.attributes.strip() else {}
    if not isinstance(given, dict):
        raise Invalid("The attributes are no mapping of names.", "Write one a line, as country: DE.", "attributes")
    return {**given, "targetingKey": body.user} if body.user else given
