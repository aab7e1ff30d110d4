"""Each user goes to his side and stays there; Python says beforehand to which."""

from __future__ import annotations

import re
import uuid

import pytest

from tests.drivers.envoy.bench import Bench, side
from tests.support.client import Client
from tidegate.core.exposure import Exposure, bucket
from tidegate.ports import Routing

pytestmark = pytest.mark.real

SALT = "web-42"


def two_sides(bench: Bench, exposure: int = 5000, salt: str = SALT, **service: object) -> None:
    v1, v2 = bench.backend("v1"), bench.backend("v2")
    routing = Routing(bench.web(**service), salt, side("v1", v1.port), side("v2", v2.port), Exposure(exposure))
    bench.route(routing)
    bench.healthy("web.stable", "web.candidate")


def expected(user: str, exposure: int, salt: str = SALT) -> str:
    return "v2" if Exposure(exposure).covers(bucket(user, salt)) else "v1"


def by_cookie(client: Client, value: str) -> str:
    return client.get("/", {"cookie": f"a=1; tidegate={value}; b=2"}).version


def test_python_predicts_where_a_user_known_by_header_goes(bench: Bench) -> None:
    two_sides(bench)
    client = bench.client()
    users = [f"user-{number}" for number in range(300)]
    went = {user: client.get("/", {"x-user-id": user}).version for user in users}
    assert went == {user: expected(user, 5000) for user in users}
    assert set(went.values()) == {"v1", "v2"}


def test_python_predicts_where_a_user_known_by_cookie_goes(bench: Bench) -> None:
    two_sides(bench)
    client = bench.client()
    users = [str(uuid.UUID(int=number * 7919, version=4)) for number in range(300)]
    assert {user: by_cookie(client, user) for user in users} == {user: expected(user, 5000) for user in users}


def test_a_new_visitor_gets_a_cookie_and_stays_on_the_side_of_his_first_answer(bench: Bench) -> None:
    two_sides(bench)
    client = bench.client()
    cookies = set()
    for _ in range(200):
        first = client.get("/")
        found = re.fullmatch(
            r"tidegate=([0-9a-f-]{36}); Path=/; Max-Age=\d+; HttpOnly; SameSite=Lax", first.headers["set-cookie"]
        )
        assert found
        cookies.add(found[1])
        assert first.version == expected(found[1], 5000) == by_cookie(client, found[1])
        assert "set-cookie" not in client.get("/", {"cookie": f"tidegate={found[1]}"}).headers
    assert len(cookies) == 200


def test_the_header_outranks_the_cookie_and_an_empty_header_counts_as_none(bench: Bench) -> None:
    two_sides(bench)
    client = bench.client()
    cookie = next(value for number in range(99) if expected(value := str(uuid.UUID(int=number, version=4)), 5000) == "v2")
    user = next(name for number in range(99) if expected(name := f"user-{number}", 5000) == "v1")
    both = {"x-user-id": user, "cookie": f"tidegate={cookie}"}
    assert client.get("/", both).version == "v1"
    assert client.get("/", both | {"x-user-id": ""}).version == "v2"
    assert client.get("/", both | {"x-user-id": "   "}).version == "v2"


def test_a_forged_cookie_makes_a_new_visitor(bench: Bench) -> None:
    two_sides(bench)
    client = bench.client()
    for forged in ("1", "x" * 36, str(uuid.uuid4()).upper(), str(uuid.uuid4()) + "0", ""):
        assert "set-cookie" in client.get("/", {"cookie": f"tidegate={forged}"}).headers, forged


@pytest.mark.parametrize(
    "user",
    ["a b  c", "ünïcode-Ω-日本", "x" * 4096, "\\1\\0\\", "^(.*)$", "a:b", "%REQ(host)%", "0", '"quoted"', "a,b;c=d"],
    ids=lambda user: user[:10],
)
def test_a_weird_user_id_goes_where_python_says(bench: Bench, user: str) -> None:
    two_sides(bench)
    client = bench.client()
    in_latin_1 = user.encode().decode("latin-1")  # the same bytes on the wire
    for salt in ("s1", "s2", "s3"):
        now = bench.routings["web"]
        bench.route(Routing(now.service, salt, now.stable, now.slot, now.exposure))
        assert client.get("/", {"x-user-id": in_latin_1}).version == expected(user, 5000, salt)


def test_a_user_id_that_is_not_utf_8_is_salted_and_sticky(bench: Bench) -> None:
    two_sides(bench)
    client = bench.client()
    for number in range(60):
        user = f"\xff\xfe{number}\xe9"
        as_python_reads_it = user.encode("latin-1").decode("utf-8", "surrogateescape")
        exposed = bucket_of_bytes(user.encode("latin-1")) < 5000
        assert client.get("/", {"x-user-id": user}).version == ("v2" if exposed else "v1"), as_python_reads_it


def bucket_of_bytes(user: bytes) -> int:
    import xxhash

    return xxhash.xxh64_intdigest(SALT.encode() + b":" + user) % 10_000


@pytest.mark.parametrize("salt", ["a\\b", "a.b*c(d", "\\1", "$1^", "ü", "a:b"])
def test_any_salt_is_taken_literally(bench: Bench, salt: str) -> None:
    two_sides(bench, salt=salt)
    client = bench.client()
    users = [f"user-{number}" for number in range(40)]
    assert [client.get("/", {"x-user-id": user}).version for user in users] == [expected(user, 5000, salt) for user in users]
    cookies = [str(uuid.UUID(int=number * 31, version=4)) for number in range(40)]
    assert [by_cookie(client, cookie) for cookie in cookies] == [expected(cookie, 5000, salt) for cookie in cookies]


def test_other_cookies_do_not_matter_whatever_bytes_they_have(bench: Bench) -> None:
    two_sides(bench)
    client = bench.client()
    for number in range(40):
        user = str(uuid.UUID(int=number * 101, version=4))
        for around in ("tidegate={};x=y", "mytidegate=no; tidegate={}", "\xff\xfe=\xe9; tidegate={}; \xff", 'tidegate="{}"'):
            assert client.get("/", {"cookie": around.format(user)}).version == expected(user, 5000), around


def test_of_two_cookies_of_our_name_the_first_counts(bench: Bench) -> None:
    two_sides(bench)
    client = bench.client()
    for number in range(30):
        first, second = (str(uuid.UUID(int=number * 101 + more, version=4)) for more in (1, 2))
        answer = client.get("/echo", {"cookie": f"tidegate={first}; tidegate={second}"})
        assert answer.version == expected(first, 5000)
        assert f"x-tidegate-id: {first}".encode() in answer.body


def test_without_a_header_setting_only_the_cookie_counts(bench: Bench) -> None:
    two_sides(bench, stickiness={"header": None, "cookie": "sid", "cookie_secure": True})
    client = bench.client()
    answer = client.get("/", {"x-user-id": "anna"})
    value = re.fullmatch(r"sid=([0-9a-f-]{36});.*; Secure", answer.headers["set-cookie"])
    assert value
    assert answer.version == expected(value[1], 5000)


def test_without_a_cookie_setting_strangers_are_not_sticky_and_get_none(bench: Bench) -> None:
    two_sides(bench, stickiness={"header": "x-account", "cookie": None})
    client = bench.client()
    assert "set-cookie" not in client.get("/").headers
    assert {client.get("/").version for _ in range(60)} == {"v1", "v2"}
    assert client.get("/", {"x-account": "7"}).version == expected("7", 5000)


def test_tasks_are_told_the_id_and_the_side_and_clients_cannot_forge_them(bench: Bench) -> None:
    two_sides(bench)
    client = bench.client()
    forged = {"x-tidegate-id": "evil", "x-tidegate-side": "evil", "x-envoy-retry-on": "5xx", "x-request-id": "mine"}
    for user in ("anna", "bert", "carl", "dora", "emil"):
        body = client.get("/echo", forged | {"x-user-id": user}).body.decode()
        side = "candidate" if expected(user, 5000) == "v2" else "baseline"
        assert f"x-tidegate-id: {user}" in body
        assert f"x-tidegate-side: {side}" in body
        assert "evil" not in body
        assert "x-envoy-retry-on" not in body
        assert "x-request-id: mine" not in body


def test_forged_headers_are_overwritten_also_when_sent_twice(bench: Bench) -> None:
    two_sides(bench)
    twice = b"GET /echo HTTP/1.1\r\nhost: a\r\nx-user-id: anna\r\n" + b"x-tidegate-id: evil\r\nx-tidegate-side: evil\r\n" * 2
    body = bench.client().raw(twice + b"\r\n").body
    assert b"evil" not in body
    assert body.count(b"x-tidegate-id:") == body.count(b"x-tidegate-side:") == 1


def test_the_id_of_a_cookie_user_is_told_to_tasks(bench: Bench) -> None:
    two_sides(bench)
    client = bench.client()
    user = str(uuid.uuid4())
    assert f"x-tidegate-id: {user}".encode() in client.get("/echo", {"cookie": f"x=1; tidegate={user}"}).body
    first = client.get("/echo")
    assert f"x-tidegate-id: {first.headers['set-cookie'][9:45]}".encode() in first.body


def test_exposure_grows_monotonously_and_rollback_takes_everybody_back_at_once(bench: Bench) -> None:
    two_sides(bench, exposure=0)
    client = bench.client()
    users = [f"user-{number}" for number in range(150)]
    sides = dict.fromkeys(users, "v1")
    for exposure in (0, 100, 1000, 3000, 9000, 10000):
        bench.expose(exposure)
        for user in users:
            version = client.get("/", {"x-user-id": user}).version
            assert version == expected(user, exposure)
            assert not (sides[user] == "v2" and version == "v1")
            sides[user] = version
    bench.expose(0)
    assert {client.get("/", {"x-user-id": user}).version for user in users} == {"v1"}


def test_killed_and_started_again_it_moves_nobody(bench: Bench) -> None:
    two_sides(bench, exposure=3700)
    users = [f"user-{number}" for number in range(100)]
    with Client(bench.port) as client:
        before = [client.get("/", {"x-user-id": user}).version for user in users]
    epoch = bench.process.epoch
    bench.process.kill()
    bench.start()
    assert bench.process.epoch != epoch
    bench.healthy("web.stable", "web.candidate")
    with Client(bench.port) as client:
        assert [client.get("/", {"x-user-id": user}).version for user in users] == before
