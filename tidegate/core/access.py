"""Where AWS is asked, and as whom: the `region` and `role` of a platform."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from tidegate.core.errors import quote

_ROLE = r"^arn:aws[a-z-]{0,20}:iam::\d{12}:role/[\w+=,.@/-]{1,576}$"
_LONGEST_SESSION = 64


def _role(text: str) -> str:
    """An empty one is none."""
    if text and not re.fullmatch(_ROLE, text, re.ASCII):
        raise ValueError(
            f"{quote(text)} is no ARN of an IAM role.\nWrite it as arn:aws:iam::123456789012:role/NAME; to see it: "
            "aws iam get-role --role-name NAME."
        )
    return text


Region = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{0,40}$")]
Role = Annotated[str, AfterValidator(_role), Field(json_schema_extra={"pattern": f"^$|{_ROLE}"})]


@dataclass(frozen=True, slots=True)
class Access:
    """ "" is what boto3 finds by itself. `subject`: the service or environment that it is for, where it is for one."""

    region: str = ""
    role: str = ""
    subject: str = ""

    @property
    def session(self) -> str:
        """How the role's session is called in the account's log; STS takes 2 to 64 characters, and no slash."""
        name = f"tidegate-{self.subject}" if self.subject else "tidegate"
        return re.sub(r"[^\w+=,.@-]", "-", name, flags=re.ASCII)[:_LONGEST_SESSION]

    @property
    def account(self) -> Access:
        """The same for all subjects that are there."""
        return replace(self, subject="")


HERE = Access()
"""As boto3 has it: who names no platform."""
