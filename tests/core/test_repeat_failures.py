"""A user counts once."""

from __future__ import annotations

from tidegate.core.repeat_failures import leave_out


def test_the_first_failure_of_a_user_counts_and_his_later_ones_do_not():
    repeats, known = leave_out({"ann": 3, "bob": 1}, frozenset())
    assert repeats == 2
    assert known == {"ann", "bob"}
    assert leave_out({"ann": 5, "cid": 1}, known) == (5, frozenset({"ann", "bob", "cid"}))


def test_who_did_not_fail_is_not_remembered():
    assert leave_out({"ann": 0}, frozenset()) == (0, frozenset())
