"""Ports to listen on, for tests that run beside each other."""

from __future__ import annotations

import random
import socket

_FIRST, _LAST = 10_000, 19_999
"""Below those that the kernel gives to outgoing connections: such a port is not taken between the choice and the bind."""
_chance = random.SystemRandom()


def free_port() -> int:
    for _ in range(1000):
        port = _chance.randint(_FIRST, _LAST)
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")
