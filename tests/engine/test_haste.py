"""Haste: what fails does not wait for the next tick."""

from __future__ import annotations

import threading
import time

from tests.support.walk import until
from tidegate.engine.haste import Haste


def test_a_look_is_asked_for_once_and_again_only_after_it_was_made() -> None:
    asked: list[float] = []
    haste = Haste(lambda: asked.append(time.monotonic()), apart=0.05)
    for _ in range(100):
        haste.want()
    until(lambda: asked, 10, "a look")
    haste.want()
    assert len(asked) == 1
    haste.looked()
    haste.want()
    until(lambda: len(asked) == 2, 10, "another look")
    assert asked[1] - asked[0] >= 0.05


def test_a_look_that_is_made_meanwhile_is_the_one_that_was_wanted() -> None:
    asked = threading.Event()
    haste = Haste(asked.set, apart=0.2)
    haste.want()
    (timer,) = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    haste.looked()
    timer.join(10)
    assert not asked.is_set()
