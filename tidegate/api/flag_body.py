"""Bodies of requests about flags, and the documents that are read from them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from tidegate.api.body import Rate, Reason, Share
from tidegate.core.document import Document
from tidegate.core.environment import Environment
from tidegate.core.errors import Invalid
from tidegate.core.flags.appconfig import read_appconfig
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.flagd import read_flagd
from tidegate.core.flags.flags_file import read_flags
from tidegate.core.plan import PlanFile
from tidegate.engine.flag_orders import Manner

Format = Literal["tidegate", "appconfig", "flagd"]
Number = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]


class MannerBody(Document):
    """How a change is released."""

    base: Number | None = None
    """The document that this was made from; refused when another one is in force by now. 0: there was none."""
    plan: PlanFile | None = None
    """Instead of the environment's plan; a sentence as `linear 10% every 1m` will do."""
    now: bool = False
    """At once for everybody, without guards, also in the place of a rollout in flight."""
    reason: Reason = ""

    def manner(self, by: str) -> Manner:
        return Manner(by, self.base, self.plan, self.reason, self.now)


class FlagsDeployBody(MannerBody):
    """Give `content`, or the `number` of a document that there is already."""

    content: Any = None
    format: Format = "tidegate"
    number: Number | None = None


class FlagsValidateBody(Document):
    """Give `content`, or the `number` of a document that there is already."""

    content: Any = None
    format: Format = "tidegate"
    number: Number | None = None
    plan: PlanFile | None = None
    """Instead of the environment's plan."""


class FlagsForecastBody(Document):
    file: Environment | None = None
    """The environment file; by default the one that was taken over."""
    plan: PlanFile | None = None
    traffic: Rate | None = None
    """Requests a second, as `30/s`; by default what the agents report now."""
    errors: Share | None = None
    """The share of them that fails anyway, as `0.1%`; by default what the last day knows."""


class FlagBody(MannerBody):
    """A flag or segment as in a document: `on`, a value, or a mapping."""

    content: Any


class EvalBody(Document):
    context: dict[str, Any] = Field(default_factory=dict)
    """The attributes, and the targeting key as `targetingKey`."""
    flag: Annotated[str, Field(max_length=200)] | None = None
    """Only this one, with why its rules did or did not hold."""
    content: Any = None
    """A document to evaluate instead of those in force."""
    format: Format = "tidegate"


class OfrepBody(TypedDict, total=False):
    """As OFREP has it. `targetingKey` in the context is the entity."""

    context: dict[str, Any]


def read_document(content: Any, kind: Format, application: str) -> FlagDocument:
    """Raises Invalid with the exact place and the mend."""
    if content is None:
        raise Invalid("The content is missing.", "Send the flag document as `content`.", "content")
    match kind:
        case "tidegate":
            return read_flags(content)
        case "appconfig":
            return read_appconfig(content, application)
        case _:
            return read_flagd(content, application)
