"""One heavy user whose every request fails is one user, on whichever side he lives.

Where it is known who failed, a user's first failure counts and his later ones are left out, of the bad ones and of the
requests. So it takes many users to blame a version, and a version that fails many users is blamed as before.
"""

from __future__ import annotations

from collections.abc import Mapping

MOST = 10_000
"""Users that are remembered. Who has that many failing users does not need this page."""


def leave_out(failures: Mapping[str, int], before: frozenset[str]) -> tuple[int, frozenset[str]]:
    """How many of these failures (by user, of one side in one tick) are repeats, and the users that have failed by now."""
    repeats = sum(count if user in before else count - 1 for user, count in failures.items() if count > 0)
    new = [user for user in sorted(failures) if failures[user] > 0 and user not in before]
    return repeats, before | frozenset(new[: max(0, MOST - len(before))])
