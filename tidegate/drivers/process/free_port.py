"""Ports for tasks: below the range that the kernel hands out to outgoing connections, so that none of those takes it first."""

from __future__ import annotations

import random
import socket
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from tidegate.core.errors import Unreachable

LOWEST, HIGHEST = 20_000, 32_000
_TRIES = 2_000


def free_port(taken: Collection[int]) -> int:
    """A port that nobody listens on, and not one of these. The next one to be asked gets another."""
    lowest, highest = _range()
    for _ in range(_TRIES):
        port = random.randrange(lowest, highest)
        if port not in taken and _is_free(port):
            return port
    raise Unreachable(f"No free port was found between {lowest} and {highest}.", "End what listens there.")


def _range() -> tuple[int, int]:
    try:
        ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return LOWEST, HIGHEST
    return (LOWEST, min(HIGHEST, ephemeral)) if ephemeral > LOWEST + 1_000 else (LOWEST, HIGHEST)


def _is_free(port: int) -> bool:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as asked:
        asked.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            asked.bind(("", port))
        except OSError:
            return False
    return True
