"""How long pages take with a long past behind them, and what fifty open ones cost.

    python -m benchmarks.dashboard

500 rollouts, 10,000 flags in force in two documents, 100 agents and 200,000 events in SQLite, in a house whose figures are
pretended. Each page is asked 20 times, after the first time, which is told apart. The cost of live pages is the CPU time of
this process, which serves them and reads them, too. Goals: 300 ms, and a tenth of a core.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import socket
import sqlite3
import statistics
import tempfile
import time
import urllib.request
from datetime import timedelta
from pathlib import Path

from tests.dashboard.shop import FLAGS, PROD, open_shop, report
from tests.support.ports import free_port
from tests.support.served import TOKEN, House
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.flags_file import read_flags
from tidegate.core.text import read_yaml
from tidegate.engine.course import Course, Point
from tidegate.engine.flag_orders import Manner

ROLLOUTS, EVENTS, READERS, MANY_FLAGS, AGENTS = 500, 200_000, 50, 10_000, 100
WITHIN, CORE = 0.3, 0.1
COURSE = Course(tuple(Point(float(at), 0.25, 0.25, 0.24, 90.0, 30.0, 0.001, 0.002, 40.0, 42.0, at / 500) for at in range(240)))


ONE = f"/sheets/flags/{PROD}"
CHANGE = {"do": "flag", "name": "flag-77", "text": 'when: country == "FR" or 20%'}
PAGES = (
    "/",
    "/rollouts/web-2",
    "/rollouts/web-1100",
    "/services/web",
    "/flags",
    f"/flags/{PROD}",
    f"/flags/{PROD}/flag?name=flag-77",
    f"/flags/{PROD}/compare?old=2&new=5",
    "/releases",
    "/releases/checkout-1",
    "/agents",
    "/forecast?of=web&traffic=30/s",
    f"/forecast?of={PROD}&traffic=30/s",
    "/audit",
    "/audit?by=ann",
    "/audit?people=true",
    "/audit?subject=web&before=100000",
    "/sheets/services/web/logs",
    f"{ONE}/list",
    f"{ONE}/list?q=flag-99&page=2",
    f"{ONE}/segments",
    f"{ONE}/stale",
    f"{ONE}/flag?name=flag-77",
    f"{ONE}/change?do=flag&name=flag-77",
    "/sheets/documents/shop/4/diff?other=5",
)
TYPED = (
    (f"{ONE}/change", {**CHANGE, "base": 5}),
    (f"{ONE}/who", {"user": "anna", "flag": "flag-77"}),
    (f"{ONE}/who", {"user": "anna", "attributes": "country: DE"}),
    (f"{ONE}/who", {"user": "anna", "flag": "flag-77", "change": CHANGE}),
)


def main() -> None:
    home = Path(tempfile.mkdtemp(prefix="tg-", dir="/tmp"))
    house = open_shop(home)
    try:
        house.watcher.drawn = COURSE
        _grow_flags(house)
        _grow_old(home / "tidegate.db")
        serving = house.serve(free_port())
        print(f"load {os.getloadavg()[0]:.1f}")
        try:
            for path in PAGES:
                _tell(path, [_asked(serving.port, path) for _ in range(21)])
            for path, body in TYPED:
                said = ", ".join(name for name in ("flag", "attributes", "change", "text") if name in body)
                _tell(f"{path} with {said}", [_asked(serving.port, path, body) for _ in range(11)])
            for path in ("/live/rollouts/web-2", "/live/home", f"/live/flags/{PROD}", "/live/services/web", "/live/agents"):
                print(f"{path:48} {_cost(house, serving.port, path):6.1%} of a core for {READERS} readers (goal: {CORE:.0%})")
            print(f"load {os.getloadavg()[0]:.1f}")
        finally:
            serving.stop()
    finally:
        house.store.close()
        shutil.rmtree(home)


def _tell(path: str, took: list[float]) -> None:
    first, *others = took
    middle, worst = statistics.median(others), max(others)
    mark = "" if worst <= WITHIN else "  over the goal"
    print(f"{path:48} {middle * 1000:6.0f} ms, worst {worst * 1000:4.0f} ms, first {first * 1000:4.0f} ms{mark}")


def _grow_flags(house: House) -> None:
    """Two documents that differ in a hundred flags, the second in force; agents that have it, and say what they were asked."""
    while house.rollout(PROD).in_flight:
        report(house, "app-0")
        house.tick(1, timedelta(seconds=10))
    for share in ("10%", "20%"):
        house.flag_orders.deploy("shop", "prod", _many(share), Manner("bob", reason="many", now=True))
        while house.rollout(PROD).in_flight:
            report(house, "app-0")
            house.tick()
    for number in range(AGENTS):
        report(house, f"app-{number}")


def _many(share: str) -> FlagDocument:
    content = read_yaml(FLAGS, "flags.yaml")
    for number in range(MANY_FLAGS - len(content["flags"])):
        own = share if number < 100 else "30%"
        content["flags"][f"flag-{number}"] = {"owner": f"team-{number % 7}", "when": f'country in ["DE", "AT"] or {own}'}
    return read_flags(content)


def _grow_old(path: Path) -> None:
    """The first rollout and the longest event, many times over."""
    database = sqlite3.connect(path)
    rollout = list(database.execute("SELECT * FROM rollouts WHERE id = 'web-1'").fetchone())
    columns = [column[1] for column in database.execute("PRAGMA table_info(rollouts)")]
    state = rollout[columns.index("state")]
    for number in range(1000, 1000 + ROLLOUTS):
        rollout[columns.index("id")] = f"web-{number}"
        rollout[columns.index("state")] = state.replace('"web-1"', f'"web-{number}"')
        database.execute(f"INSERT INTO rollouts VALUES ({','.join('?' * len(rollout))})", rollout)
    event = list(database.execute("SELECT * FROM events WHERE rollout = 'web-2' ORDER BY length(facts) DESC").fetchone())
    names = [column[1] for column in database.execute("PRAGMA table_info(events)")]
    place, of = names.index("id"), names.index("rollout")

    def copies() -> list[list[object]]:
        made = []
        for number in range(EVENTS):
            copy = list(event)
            copy[place] = 10_000 + number
            copy[of] = "web-2" if number < 300 else f"web-{1000 + number % ROLLOUTS}"
            made.append(copy)
        return made

    database.executemany(f"INSERT INTO events VALUES ({','.join('?' * len(event))})", copies())
    database.commit()
    database.close()


def _asked(port: int, path: str, body: object = None) -> float:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    began = time.perf_counter()
    with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers)) as answer:
        answer.read()
    return time.perf_counter() - began


def _cost(house: House, port: int, path: str) -> float:
    readers = [socket.create_connection(("127.0.0.1", port)) for _ in range(READERS)]
    for reader in readers:
        reader.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    time.sleep(2)
    spent, began = time.process_time(), time.monotonic()
    while time.monotonic() - began < 10:
        for reader in select.select(readers, [], [], 0.5)[0]:
            reader.recv(1 << 16)
        time.sleep(0.2)
        house.tick(1, timedelta(milliseconds=200))
    used = (time.process_time() - spent) / (time.monotonic() - began)
    for reader in readers:
        reader.close()
    return used


if __name__ == "__main__":
    main()
