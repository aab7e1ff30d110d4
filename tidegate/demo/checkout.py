"""The demo's checkout: a web application that asks flags, with the agent inside it and the middleware around it.

    python -m tidegate.demo.checkout --port 8001 --version v1 --control /run/tidegate/api.sock

Whoever has the flag `new-checkout` gets the new page. `payment` says who takes the money; with `swift`, 30 % of the payments
fail, evenly spread.
"""

from __future__ import annotations

import argparse
from typing import Any

import uvicorn

from tidegate.agent import Agent
from tidegate.demo.ledger import SAW, USER, VERSION
from tidegate.middleware import OutcomesMiddleware, Receive, Scope, Send

BROKEN = "swift"
SHARE = 30
"""Percent."""


class Checkout:
    def __init__(self, agent: Agent, version: str) -> None:
        self._agent = agent
        self._version = version
        self._paid = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - every ASGI application gets it
        if scope["path"] == "/healthz":
            await self._answer(send, 200, "fine", "")
            return
        user = {"targetingKey": _header(scope, USER)}
        new = self._agent.evaluate("new-checkout", user).value is True
        payment = str(self._agent.evaluate("payment", user).value or "acme")
        page = "new-checkout" if new else "old-checkout"
        if payment == BROKEN and self._fails():
            await self._answer(send, 500, "the payment did not go through", f"{page},{payment}")
        else:
            await self._answer(send, 200, f"{page}, paid by {payment}", f"{page},{payment}")

    def _fails(self) -> bool:
        self._paid += 1
        return self._paid * SHARE // 100 > (self._paid - 1) * SHARE // 100

    async def _answer(self, send: Send, status: int, text: str, saw: str) -> None:
        headers = {"content-type": "text/plain", VERSION: self._version, SAW: saw}
        said = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": said})
        await send({"type": "http.response.body", "body": f"{text}\n".encode()})


def _header(scope: Scope, name: str) -> str:
    headers: Any = scope["headers"]
    return next((value.decode() for key, value in headers if key == name.encode()), "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--control", required=True, help="The control plane: its URL, or the path of its socket.")
    given = parser.parse_args()
    with Agent("shop", "prod", control=given.control) as agent:
        app = OutcomesMiddleware(Checkout(agent, given.version), agent)
        uvicorn.run(app, host="127.0.0.1", port=given.port, lifespan="off", log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
