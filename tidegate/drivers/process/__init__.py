"""Tasks as local processes: started, watched, adopted and ended without leaving anything behind.

The supervisor uses `identity`, `lock`, `kept`, `ward`, `sweep` and `rotation` alone and must stay small, so the runtime is
imported only when somebody asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tidegate.drivers.process.runtime import ProcessRuntime

__all__ = ["ProcessRuntime"]


def __getattr__(name: str) -> object:
    if name == "ProcessRuntime":
        from tidegate.drivers.process.runtime import ProcessRuntime  # noqa: PLC0415 - see above

        return ProcessRuntime
    raise AttributeError(name)
