"""The long walk: thousands of users through eleven steps, each asked at each of them."""

from __future__ import annotations

import math
import uuid

import pytest

from tests.drivers.envoy.bench import Bench, side
from tests.support.client import Client
from tidegate.core.exposure import NONE, Exposure, bucket
from tidegate.ports import Routing

pytestmark = pytest.mark.real

SALT = "walk"
STEPS = range(0, 10_001, 1000)


def walk(bench: Bench, count: int) -> None:
    """Half of the users are known by header, half by cookie."""
    v1, v2 = bench.backend("v1"), bench.backend("v2")
    bench.route(Routing(bench.web(), SALT, side("v1", v1.port), side("v2", v2.port), NONE))
    bench.healthy("web.stable", "web.candidate")
    headers = {f"user-{number}": {"x-user-id": f"user-{number}"} for number in range(count // 2)}
    cookies = [str(uuid.UUID(int=number * 7_919 + 5, version=4)) for number in range(count // 2)]
    users = headers | {cookie: {"cookie": f"tidegate={cookie}"} for cookie in cookies}
    moved: dict[str, int] = dict.fromkeys(users, 0)
    last: dict[str, str] = dict.fromkeys(users, "v1")
    for step in STEPS:
        bench.expose(step)
        now = where(bench, users)
        assert now == {user: "v2" if bucket(user, SALT) < step else "v1" for user in users}
        assert now == where(bench, users), "mixed within a step"
        for user, version in now.items():
            assert (last[user], version) != ("v2", "v1"), "moved against the direction"
            moved[user] += last[user] != version
        last = now
        for group in (list(headers), cookies):
            share = sum(now[user] == "v2" for user in group) / len(group)
            expected = step / 10_000
            error = 4.5 * math.sqrt(max(expected * (1 - expected), 1e-9) / len(group))
            assert abs(share - expected) <= error
        if step == 5000:
            bench.process.kill()
            bench.start()
            bench.until(lambda: bench.status()[0] == 200, "it serves again")
            assert where(bench, users) == now, "moved by a restart"
    assert set(moved.values()) == {1}
    bench.expose(0)
    assert set(where(bench, users).values()) == {"v1"}


def where(bench: Bench, users: dict[str, dict[str, str]]) -> dict[str, str]:
    with Client(bench.port) as client:
        return {user: client.get("/", known).version for user, known in users.items()}


def test_each_of_four_hundred_users_moves_exactly_once(bench: Bench) -> None:
    walk(bench, 400)


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_each_of_ten_thousand_users_moves_exactly_once(bench: Bench) -> None:
    walk(bench, 10_000)


def test_exposure_counts_in_ten_thousandths(bench: Bench) -> None:
    v1, v2 = bench.backend("v1"), bench.backend("v2")
    bench.route(Routing(bench.web(), SALT, side("v1", v1.port), side("v2", v2.port), NONE))
    bench.healthy("web.stable", "web.candidate")
    first = min((f"u{number}" for number in range(60_000)), key=lambda user: bucket(user, SALT))
    point = bucket(first, SALT)
    for exposure, version in ((point, "v1"), (point + 1, "v2")):
        bench.expose(Exposure(exposure))
        assert bench.client().get("/", {"x-user-id": first}).version == version
