"""Checks the health of all tasks from one thread, whatever their number: sockets that do not block, and one epoll.

A bounded number of checks runs at a time; the others wait their turn. What we cannot do ourselves (no free file
descriptor) is no fault of the task and is not counted.
"""

from __future__ import annotations

import errno
import heapq
import itertools
import os
import resource
import select
import socket
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import structlog

from tidegate.drivers.process.life import Verdict
from tidegate.drivers.process.patient import Patient
from tidegate.drivers.process.probe import Check, question, read
from tidegate.drivers.process.resolve import Resolver

EAGER = 0.1
"""Seconds between two looks at a task that does not listen yet: to be refused costs nobody anything."""
_MOST = 1_000
"""Checks at a time, if there are file descriptors for twice as many."""
_ENOUGH = 64 * 1024
_OURS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL)
_NOT_YET = (errno.EAGAIN, errno.EINPROGRESS, errno.ENOTCONN)


@dataclass(slots=True, eq=False)
class _Probe:
    """One check under way."""

    patient: Patient
    sock: socket.socket
    begun: float
    received: bytes = b""
    asked: bool = False
    judged: bool = False
    over: bool = False


class HealthWatch:
    """Give it whom to watch; ask it for verdicts. Its thread starts with the first patient."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._patients: dict[Hashable, Patient] = {}
        self._new: list[Patient] = []
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()
        self._waiting: deque[Patient] = deque()
        self._probes: dict[int, _Probe] = {}
        self._at_once = min(_MOST, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
        self._epoll = select.epoll()
        self._wake_r, self._wake_w = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._epoll.register(self._wake_r, select.EPOLLIN)
        self._resolver = Resolver()
        self._thread: threading.Thread | None = None
        self._closing = False

    # --- asked from outside -------------------------------------------------------------------------------------------

    def watch(self, key: Hashable, check: Check, healthy: bool | None) -> None:
        """Begins checking, from what is known already. Once for a key."""
        patient = Patient(check, healthy)
        with self._lock:
            if self._closing:
                return
            self._patients[key] = patient
            self._new.append(patient)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="tidegate-health", daemon=True)
                self._thread.start()
            self._wake()

    def watches(self, key: Hashable) -> bool:
        return key in self._patients

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
        for probe in self._probes.values():
            probe.sock.close()
        self._epoll.close()
        os.close(self._wake_r)
        os.close(self._wake_w)

    def _wake(self) -> None:
        # A full pipe wakes as well.
        with suppress(BlockingIOError):
            os.write(self._wake_w, b"!")

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing:
            try:
                self._turn()
            except Exception:
                # A fault of ours in one check must not leave every other task unseen.
                structlog.get_logger().exception("a health check failed by our own fault")

    def _turn(self) -> None:
        self._welcome()
        while self._agenda and self._agenda[0][0] <= time.monotonic():
            heapq.heappop(self._agenda)[2]()
        pause = max(self._agenda[0][0] - time.monotonic(), 0.0) if self._agenda else -1
        for descriptor, _ in self._epoll.poll(pause):
            if descriptor == self._wake_r:
                os.read(self._wake_r, 4096)
            elif (probe := self._probes.get(descriptor)) is not None:
                self._go_on(probe)

    def _welcome(self) -> None:
        if not self._new:
            return
        with self._lock:
            new, self._new = self._new, []
        for patient in new:
            # Those that were adopted all at once are spread over their interval; who just starts is looked at now.
            spread = zlib.crc32(repr(patient.check).encode()) % 1000 / 1000 * patient.check.interval
            self._later(0.02 if patient.healthy is None else spread, partial(self._begin, patient))

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (time.monotonic() + seconds, next(self._count), what))

    def _begin(self, patient: Patient) -> None:
        if patient.dismissed:
            return
        if len(self._probes) >= self._at_once:
            self._waiting.append(patient)
            return
        address = self._resolver.address(patient.check.host, patient.check.port)
        if address is None:
            self._later(0.05, partial(self._begin, patient))
        elif isinstance(address, str):
            patient.judge(address)
            self._again(patient, patient.check.interval)
        else:
            self._connect(patient, *address)

    def _connect(self, patient: Patient, family: int, address: tuple[str, int]) -> None:
        try:
            sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError:
            self._again(patient, patient.check.interval)
            return
        probe = self._probes[sock.fileno()] = _Probe(patient, sock, time.monotonic())
        self._later(patient.check.timeout, partial(self._expire, probe))
        code = sock.connect_ex(address)
        if code not in (0, errno.EINPROGRESS):
            self._break(probe, code)
            return
        self._epoll.register(sock, select.EPOLLOUT)
        # On the same machine the connection stands already: one turn less.
        self._go_on(probe)

    def _go_on(self, probe: _Probe) -> None:
        try:
            if probe.asked:
                self._hear(probe)
            else:
                self._ask(probe)
        except OSError as error:
            if error.errno not in _NOT_YET:
                self._break(probe, error.errno or 0)

    def _ask(self, probe: _Probe) -> None:
        failed = probe.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failed:
            self._break(probe, failed)
            return
        asked = probe.patient.question
        if not asked:
            # Nothing is said: that somebody took the connection is enough. Raises while nobody has.
            probe.sock.getpeername()
            self._say(probe, "")
            self._finish(probe, probe.patient.check.interval)
            return
        probe.sock.send(asked)
        probe.asked = True
        self._epoll.modify(probe.sock, select.EPOLLIN)

    def _hear(self, probe: _Probe) -> None:
        part = probe.sock.recv(16 * 1024)
        probe.received += part
        check = probe.patient.check
        if not probe.judged:
            answer = read(check, probe.received, ended=not part)
            if answer.done:
                self._say(probe, answer.why)
        # To the end of the answer, so that no task sees its connection reset; what is judged and goes on is cut at last.
        if not part or len(probe.received) > _ENOUGH or (probe.judged and check.protocol != "http1"):
            self._finish(probe, check.interval)

    def _break(self, probe: _Probe, code: int) -> None:
        patient = probe.patient
        if code not in _OURS:
            self._say(probe, f"port {patient.check.port}: {os.strerror(code).lower()}")
        eager = code == errno.ECONNREFUSED and not patient.listens
        self._finish(probe, min(patient.check.interval, EAGER) if eager else patient.check.interval)

    def _expire(self, probe: _Probe) -> None:
        if probe.over:
            return
        check = probe.patient.check
        self._say(probe, f"{question(check)} gave no answer in time")
        self._finish(probe, check.interval)

    def _say(self, probe: _Probe, wrong: str) -> None:
        if not probe.judged:
            probe.judged = True
            probe.patient.judge(wrong)

    def _finish(self, probe: _Probe, interval: float) -> None:
        probe.over = True
        # Closing takes it out of the epoll.
        del self._probes[probe.sock.fileno()]
        probe.sock.close()
        self._again(probe.patient, max(probe.begun + interval - time.monotonic(), 0.0))
        if self._waiting:
            self._later(0.0, partial(self._begin, self._waiting.popleft()))

    def _again(self, patient: Patient, seconds: float) -> None:
        if not patient.dismissed:
            self._later(seconds, partial(self._begin, patient))
