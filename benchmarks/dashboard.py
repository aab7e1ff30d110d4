"""How long pages take with a long past behind them, and what fifty open ones cost.

    python -m benchmarks.dashboard

500 rollouts and 200,000 events in SQLite, in a house whose figures are pretended. The cost of live pages is the CPU time of
this process, which serves them and reads them, too. Goals: 300 ms, and a tenth of a core.
"""

from __future__ import annotations

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

from tests.support.served import House, build_house
from tests.support.walk import free_port
from tidegate.engine.course import Course, Point

ROLLOUTS, EVENTS, READERS = 500, 200_000, 50
WITHIN, CORE = 0.3, 0.1
COURSE = Course(tuple(Point(float(at), 0.25, 0.25, 0.24, 90.0, 30.0, 0.001, 0.002, 40.0, 42.0, at / 500) for at in range(240)))


def main() -> None:
    home = Path(tempfile.mkdtemp(prefix="tg-", dir="/tmp"))
    house = build_house(home)
    try:
        house.begun()
        house.watcher.drawn = COURSE
        _grow_old(home / "tidegate.db")
        serving = house.serve(free_port())
        try:
            for path in ("/", "/rollouts/web-2", "/rollouts/web-1100"):
                took = [_asked(serving.port, path) for _ in range(20)]
                middle, worst = statistics.median(took), max(took)
                print(f"{path:20} {middle * 1000:6.0f} ms, worst {worst * 1000:.0f} ms (goal: {WITHIN * 1000:.0f} ms)")
            for path in ("/live/rollouts/web-2", "/live/home"):
                print(f"{path:20} {_cost(house, serving.port, path):6.1%} of a core for {READERS} readers (goal: {CORE:.0%})")
        finally:
            serving.stop()
    finally:
        house.store.close()
        shutil.rmtree(home)


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


def _asked(port: int, path: str) -> float:
    began = time.perf_counter()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
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
