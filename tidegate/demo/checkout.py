"""The demo's checkout: a web application that asks flags, with the agent inside it and the middleware around it.

    python -m tidegate.demo.checkout --port 8001 --version v1 --control /run/tidegate/api.sock --fail swift=30%

Whoever has the flag `new-checkout` gets the new page. `payment` says who takes the money; through one of them that share of
the payments fails, evenly spread.
"""

from __future__ import annotations

import argparse
from typing import Any

import uvicorn

from tidegate.agent import Agent
from tidegate.core.exposure import WHOLE, parse_share
from tidegate.demo.ledger import SAW, USER, VERSION
from tidegate.middleware import OutcomesMiddleware, Receive, Scope, Send


class Checkout:
    def __init__(self, agent: Agent, version: str, broken: str, share: int) -> None:
        """Through `broken`, this many of ten thousand payments fail."""
        self._agent = agent
        self._version = version
        self._broken = broken
        self._share = share
        self._paid = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - every ASGI application gets it
        if scope["path"] == "/healthz":
            await self._answer(send, 200, "fine", "")
            return
        user = {"targetingKey": _header(scope, USER)}
        new = self._agent.evaluate("new-checkout", user).value is True
        payment = str(self._agent.evaluate("payment", user).value or "acme")
        page = "new-checkout" if new else "old-checkout"
        if payment == self._broken and self._fails():
            await self._answer(send, 500, "the payment did not go through", f"{page},{payment}")
        else:
            await self._answer(send, 200, f"{page}, paid by {payment}", f"{page},{payment}")

    def _fails(self) -> bool:
        self._paid += 1
        return self._paid * self._share // WHOLE > (self._paid - 1) * self._share // WHOLE

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
    parser.add_argument("--fail", default="=0%", metavar="PAYMENT=SHARE")
    given = parser.parse_args()
    broken, _, share = given.fail.partition("=")
    with Agent("shop", "prod", control=given.control) as agent:
        app = OutcomesMiddleware(Checkout(agent, given.version, broken, int(parse_share(share))), agent)
        uvicorn.run(app, host="127.0.0.1", port=given.port, lifespan="off", log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
