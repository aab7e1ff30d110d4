"""How long from `promote` to the first request that is routed by it, through the whole house.

    python -m benchmarks.promote

One user whose place lies in the next step asks again and again over one connection; the time is from the moment the order is
sent to the moment the answer comes from the candidate. It is set in ratio to the bare exchange with the API (an order that
changes nothing).
"""

from __future__ import annotations

import http.client
import statistics
import time

from tests.support.walk import Tidegate

STEPS = 20


def main() -> None:
    steps = [{"exposure": f"{5 * number}%", "hold": "10m"} for number in range(1, STEPS)]
    with Tidegate(tick="1s") as house:
        port = house.serve("web", plan={"steps": steps, "deadline": "1d"})
        rollout = house.deploy("web", "v2", plan={"steps": steps, "deadline": "1d"})
        house.phase(rollout, "watching")
        routed, exchange = [], []
        for number in range(1, STEPS - 1):
            user = house.user_between("web", 500 * number, 500 * (number + 1))
            routed.append(_time_to_route(house, port, user))
            begun = time.perf_counter()
            house.ask("POST", "/services/web/resume")
            exchange.append((time.perf_counter() - begun) * 1000)
            house.phase(rollout, "watching")
        _print(routed, exchange)


def _time_to_route(house: Tidegate, port: int, user: str) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        assert _version(connection, user) == "v1"
        begun = time.perf_counter()
        house.ask("POST", "/services/web/promote")
        while _version(connection, user) != "v2":
            if time.perf_counter() - begun > 30:
                raise SystemExit("The promoted step was not routed within 30 s.")
        return (time.perf_counter() - begun) * 1000
    finally:
        connection.close()


def _version(connection: http.client.HTTPConnection, user: str) -> str:
    connection.request("GET", "/", headers={"x-user-id": user})
    answer = connection.getresponse()
    answer.read()
    return answer.headers["x-version"] or ""


def _print(routed: list[float], exchange: list[float]) -> None:
    print(f"promote: milliseconds from the order to the first request routed by it, {len(routed)} times, tick 1 s")
    print(f"  median {statistics.median(routed):6.1f}  largest {max(routed):6.1f}")
    print(f"  an exchange with the API that changes nothing: median {statistics.median(exchange):6.1f}")
    print(f"  ratio {statistics.median(routed) / statistics.median(exchange):.2f}")


if __name__ == "__main__":
    main()
