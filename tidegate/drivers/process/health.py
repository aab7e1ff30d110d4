"""Checks the health of all tasks from one thread, whatever their number: sockets that do not block, and one selector.

At most `AT_ONCE` checks run at a time; the others wait their turn. What we cannot do ourselves (no free file descriptor)
is no fault of the task and is not counted.
"""

from __future__ import annotations

import errno
import heapq
import itertools
import os
import selectors
import socket
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from tidegate.drivers.process.life import Verdict
from tidegate.drivers.process.probe import Answer, Check, read, request
from tidegate.drivers.process.resolve import Resolver

AT_ONCE = 100
EAGER = 0.1
"""Seconds between two looks at a task that does not listen yet: to be refused costs nobody anything."""
_ENOUGH = 64 * 1024
_OURS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL)


@dataclass(slots=True, eq=False)
class _Patient:
    """One start of one task, and what its checks said."""

    check: Check
    healthy: bool | None
    good: int = 0  # in a row
    bad: int = 0  # in a row
    verdict: Verdict = field(default_factory=Verdict)
    dismissed: bool = False


@dataclass(slots=True, eq=False)
class _Probe:
    """One check under way."""

    patient: _Patient
    sock: socket.socket
    begun: float
    received: bytes = b""
    connected: bool = False
    judged: bool = False
    over: bool = False


class HealthWatch:
    """Give it whom to watch; ask it for verdicts. Its thread starts with the first patient."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._patients: dict[Hashable, _Patient] = {}
        self._new: list[_Patient] = []
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()
        self._waiting: deque[_Patient] = deque()
        self._running = 0
        self._selector = selectors.DefaultSelector()
        self._wake_r, self._wake_w = os.pipe()
        os.set_blocking(self._wake_r, False)
        os.set_blocking(self._wake_w, False)
        self._selector.register(self._wake_r, selectors.EVENT_READ)
        self._resolver = Resolver()
        self._thread: threading.Thread | None = None
        self._closing = False

    # --- asked from outside -------------------------------------------------------------------------------------------

    def watch(self, key: Hashable, check: Check, healthy: bool | None) -> None:
        """Begins checking, from what is known already. Watching twice is once."""
        if key in self._patients:
            return
        patient = _Patient(check, healthy, verdict=Verdict(healthy))
        with self._lock:
            if self._closing:
                return
            self._patients[key] = patient
            self._new.append(patient)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="tidegate-health", daemon=True)
                self._thread.start()
            self._wake()

    def unwatch(self, key: Hashable) -> None:
        with self._lock:
            patient = self._patients.pop(key, None)
        if patient is not None:
            patient.dismissed = True

    def verdict(self, key: Hashable) -> Verdict:
        patient = self._patients.get(key)
        return patient.verdict if patient is not None else Verdict()

    def close(self) -> None:
        with self._lock:
            if self._closing:
                return
            self._closing = True
            self._wake()
        if self._thread is not None:
            self._thread.join(5)
        for kept in list(self._selector.get_map().values()):
            if isinstance(kept.data, _Probe):
                kept.data.sock.close()
        self._selector.close()
        os.close(self._wake_r)
        os.close(self._wake_w)

    def _wake(self) -> None:
        # A full pipe wakes as well.
        with suppress(BlockingIOError):
            os.write(self._wake_w, b"!")

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing:
            self._welcome()
            self._do_what_is_due()
            pause = max(self._agenda[0][0] - time.monotonic(), 0.0) if self._agenda else None
            for kept, _ in self._selector.select(pause):
                if isinstance(kept.data, _Probe):
                    self._go_on(kept.data)
                else:
                    with suppress(OSError):
                        os.read(self._wake_r, 4096)

    def _welcome(self) -> None:
        with self._lock:
            new, self._new = self._new, []
        for patient in new:
            # Those that were adopted all at once are spread over their interval; who just starts is looked at now.
            spread = zlib.crc32(repr(patient.check).encode()) % 1000 / 1000 * patient.check.interval
            self._later(0.02 if patient.healthy is None else spread, partial(self._begin, patient))

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (time.monotonic() + seconds, next(self._count), what))

    def _do_what_is_due(self) -> None:
        now = time.monotonic()
        while self._agenda and self._agenda[0][0] <= now:
            heapq.heappop(self._agenda)[2]()

    def _begin(self, patient: _Patient) -> None:
        if patient.dismissed:
            return
        if self._running >= AT_ONCE:
            self._waiting.append(patient)
            return
        address = self._resolver.address(patient.check.host, patient.check.port)
        if address is None:
            self._later(0.05, partial(self._begin, patient))
            return
        if isinstance(address, str):
            self._judge(patient, address)
            self._again(patient)
            return
        self._connect(patient, *address)

    def _connect(self, patient: _Patient, family: int, address: tuple[str, int]) -> None:
        try:
            sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError:
            self._again(patient)
            return
        probe = _Probe(patient, sock, time.monotonic())
        self._running += 1
        self._later(patient.check.timeout, partial(self._expire, probe))
        code = sock.connect_ex(address)
        if code not in (0, errno.EINPROGRESS):
            self._refused(probe, code)
            return
        self._selector.register(sock, selectors.EVENT_WRITE, probe)

    def _go_on(self, probe: _Probe) -> None:
        if probe.over:
            return
        try:
            if not probe.connected:
                self._greet(probe)
            else:
                self._hear(probe)
        except BlockingIOError:
            return
        except OSError as broken:
            self._say(probe, f"port {probe.patient.check.port}: {os.strerror(broken.errno or 0).lower()}")
            self._finish(probe)

    def _greet(self, probe: _Probe) -> None:
        code = probe.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._refused(probe, code)
            return
        probe.connected = True
        question = request(probe.patient.check)
        if not question:
            self._say(probe, "")
            self._finish(probe)
            return
        probe.sock.send(question)
        self._selector.modify(probe.sock, selectors.EVENT_READ, probe)

    def _hear(self, probe: _Probe) -> None:
        part = probe.sock.recv(16 * 1024)
        probe.received += part
        if not probe.judged:
            answer: Answer = read(probe.patient.check, probe.received, ended=not part)
            if answer.done:
                self._say(probe, answer.why)
        # To the end of the answer, so that no task sees its connection reset.
        if not part or len(probe.received) > _ENOUGH or (probe.judged and probe.patient.check.protocol != "http1"):
            self._finish(probe)

    def _refused(self, probe: _Probe, code: int) -> None:
        check = probe.patient.check
        if code not in _OURS:
            self._say(probe, f"port {check.port}: {os.strerror(code).lower()}")
        eager = code == errno.ECONNREFUSED and probe.patient.healthy is None and not probe.patient.good
        self._finish(probe, min(check.interval, EAGER) if eager else None)

    def _expire(self, probe: _Probe) -> None:
        if probe.over:
            return
        check = probe.patient.check
        self._say(probe, f"{f'GET {check.path} on port' if check.path else 'port'} {check.port} gave no answer in time")
        self._finish(probe)

    def _finish(self, probe: _Probe, pause: float | None = None) -> None:
        probe.over = True
        with suppress(KeyError, ValueError):
            self._selector.unregister(probe.sock)
        probe.sock.close()
        self._running -= 1
        interval = probe.patient.check.interval if pause is None else pause
        self._again(probe.patient, max(probe.begun + interval - time.monotonic(), 0.0))
        if self._waiting:
            waiting = self._waiting.popleft()
            self._later(0.0, partial(self._begin, waiting))

    def _again(self, patient: _Patient, pause: float | None = None) -> None:
        if not patient.dismissed:
            self._later(patient.check.interval if pause is None else pause, partial(self._begin, patient))

    # --- what it means ------------------------------------------------------------------------------------------------

    def _say(self, probe: _Probe, wrong: str) -> None:
        if not probe.judged:
            probe.judged = True
            self._judge(probe.patient, wrong)

    def _judge(self, patient: _Patient, wrong: str) -> None:
        """One more answer: good when nothing is wrong."""
        patient.good, patient.bad = (0, patient.bad + 1) if wrong else (patient.good + 1, 0)
        if patient.good >= patient.check.healthy_after:
            patient.healthy = True
        elif patient.bad >= patient.check.unhealthy_after and patient.healthy is not None:
            patient.healthy = False
        patient.verdict = Verdict(patient.healthy, wrong, patient.verdict.checks + 1)
