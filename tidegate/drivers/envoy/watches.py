"""Envoy watches each of its files by an inotify instance of its own, and aborts when the system grants no more.

The default limit, 128 for all programs of a user, is enough for about fifty services. Beyond it a service must be refused
before Envoy hears of it: an Envoy that aborts takes everybody down, and again at each start.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys

from tidegate.core.errors import Refused

_SLACK = 6  # Envoy holds an old and a new watch for a moment when it replaces one


def require(count: int, what: str) -> None:
    """Raises Refused unless so many more files can be watched. `what` needs them: `web`, `Envoy`."""
    granted = _granted(count + _SLACK)
    if granted < count + _SLACK:
        raise Refused(
            f"{what} needs {count} more watched files, and the system grants {max(0, granted - _SLACK)}.",
            "Raise the limit as root: sysctl -w fs.inotify.max_user_instances=4096, and keep it in /etc/sysctl.d.",
        )


def _granted(count: int) -> int:
    """Tries it. Elsewhere than on Linux there is no such limit."""
    if not sys.platform.startswith("linux"):
        return count
    libc = ctypes.CDLL(None, use_errno=True)
    opened: list[int] = []
    try:
        while len(opened) < count:
            handle = int(libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK))
            if handle < 0:
                break
            opened.append(handle)
    finally:
        for handle in opened:
            with contextlib.suppress(OSError):
                os.close(handle)
    return len(opened)
