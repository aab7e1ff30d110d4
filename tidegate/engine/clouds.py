"""One `Cloud` for each account and region of AWS that files name: what one of them does not answer keeps nothing from the
others, so each is asked in a thread of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from tidegate.core.access import Access
from tidegate.core.alarm import AlarmFile
from tidegate.engine.cloud import Cloud, Sides, ToldTo

_BEGINS = 0.25
"""Seconds until one that is new gets its thread."""


class Clouds:
    """Implements sources.Server. `make` gives the cloud of an account."""

    def __init__(self, make: Callable[[Access], Cloud]) -> None:
        self._make = make
        self._clouds: dict[Access, Cloud] = {}  # by the loop alone; others may read it
        self._stopped = threading.Event()

    def at(self, access: Access) -> Cloud:
        """Its last answers, where it is watched; else one that knows nothing yet."""
        return self._clouds.get(access.account) or self._make(access.account)

    # --- beside the loop ----------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Keeps a thread for each, until stopped."""
        threads: dict[Access, threading.Thread] = {}
        while not self._stopped.wait(_BEGINS):
            threads = {access: thread for access, thread in threads.items() if thread.is_alive()}
            for access, cloud in self._clouds.copy().items():
                if access not in threads:
                    threads[access] = threading.Thread(target=cloud.run, name=access.role or "cloudwatch", daemon=True)
                    threads[access].start()

    def stop(self) -> None:
        self._stopped.set()
        for cloud in self._clouds.copy().values():
            cloud.stop()

    # --- for the loop -------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        for cloud in self._clouds.values():
            cloud.begin()

    def want(self, alarms: Sequence[AlarmFile], sides: Sides, now: datetime) -> ToldTo | None:
        account = sides.access.account
        cloud = self._clouds.get(account) or self._make(account)
        told = cloud.want(alarms, sides, now)
        if told is not None:
            self._clouds[account] = cloud
        return told

    def end(self, now: datetime) -> None:
        for cloud in self._clouds.values():
            cloud.end(now)
