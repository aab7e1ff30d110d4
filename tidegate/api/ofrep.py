"""OFREP on the control plane itself, for clients without an agent beside them. Base URL: .../environments/{environment}.

It is the agent's own answer, from the same snapshot. Nothing is streamed: clients poll, and mostly get a 304.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tidegate.agent import ofrep
from tidegate.agent.answer import Answer
from tidegate.api.answers import OfrepAnswer, OfrepAnswers
from tidegate.api.arguments import ApplicationName, EnvironmentName, EvaluatedFlag
from tidegate.api.flag_body import OfrepBody
from tidegate.api.in_force import FlagsInForce
from tidegate.api.openapi import described

router = APIRouter(tags=["ofrep"])
_OFREP = "/applications/{application}/environments/{environment}/ofrep/v1/evaluate/flags"


@router.post(_OFREP, **described(OfrepAnswers, body=OfrepBody))
async def evaluate_all(
    application: ApplicationName, environment: EnvironmentName, in_force: FlagsInForce, request: Request
) -> Response:
    """All flags for one context, with an ETag; 304 while nothing has changed for it."""
    body, seen = await request.body(), ", ".join(request.headers.getlist("if-none-match"))

    def answered() -> Answer:
        return ofrep.evaluate_all(in_force.of(application, environment), body, seen=seen, host="")

    return _response(await run_in_threadpool(answered))


@router.post(f"{_OFREP}/{{flag:path}}", **described(OfrepAnswer, body=OfrepBody))
async def evaluate_one(
    application: ApplicationName, environment: EnvironmentName, flag: EvaluatedFlag, in_force: FlagsInForce, request: Request
) -> Response:
    """One flag for one context."""
    body = await request.body()

    def answered() -> Answer:
        return ofrep.evaluate_one(in_force.of(application, environment), flag, body)

    return _response(await run_in_threadpool(answered))


def _response(answer: Answer) -> Response:
    response = Response(answer.body, answer.status)
    for name, value in answer.headers:
        response.headers[name.decode()] = value.decode()
    return response
