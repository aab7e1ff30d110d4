"""Lists that AWS gives page by page: none is whole before the last page was read.

Not by boto3's paginators: each page is a call like any other, sent in its manner, and wrong in the same words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tidegate.core.errors import Unreachable
from tidegate.drivers.aws.call import Answer, Call, Caller

TOKENS = ("NextToken", "nextToken")
"""As the services call what they give with every page but the last, and want with the question for the next."""


def pages(caller: Caller, call: Call) -> Iterator[Answer]:
    """Asked for one by one, as they are needed."""
    seen: set[str] = set()
    while True:
        answer = caller.do(call)
        yield answer
        name, token = next(((name, answer[name]) for name in TOKENS if answer.get(name)), ("", ""))
        if not token:
            return
        if token in seen:
            raise Unreachable(f"{call} gave the same page twice.")
        seen.add(token)
        call = replace(call, parameters={**call.parameters, name: token})
