"""An application that somebody could have written: a Starlette app on uvicorn, with OpenFeature and Tidegate's middleware.
Its new checkout is broken: so many of the requests that get it fail.

    python -m tests.support.flag_app --control SOCKET --port PORT --faults 0.3 --cache DIR
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import uvicorn
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tidegate.agent import Agent
from tidegate.middleware import OutcomesMiddleware
from tidegate.openfeature import TidegateProvider


def application(agent: Agent, faults: float) -> Starlette:
    client = api.get_client()

    async def checkout(request: Request) -> Response:
        new = client.get_boolean_value("checkout", False, EvaluationContext(request.path_params["user"]))
        broken = new and random.random() < faults
        return PlainTextResponse("new" if new else "old", 500 if broken else 200)

    return Starlette(routes=[Route("/{user}", checkout)], middleware=[Middleware(OutcomesMiddleware, agent=agent)])


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--control", required=True)
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--faults", type=float, default=0.0)
    arguments.add_argument("--cache", type=Path)
    said = arguments.parse_args()
    agent = Agent("shop", "prod", control=said.control, cache=said.cache)
    api.set_provider(TidegateProvider(agent))  # it begins to serve at once, whoever is there
    uvicorn.run(application(agent, said.faults), port=said.port, log_level="critical", lifespan="off")
    api.shutdown()


if __name__ == "__main__":
    main()
