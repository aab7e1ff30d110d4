"""Connections never take the files that the controller needs itself."""

from __future__ import annotations

from tidegate.api.serve import OWN_FILES, most_connections


def test_both_doors_together_leave_the_controller_its_files() -> None:
    for files in (600, 1024, 4096, 2**20):
        assert 100 <= most_connections(files) <= 2500
        assert 2 * most_connections(files) + OWN_FILES <= files
