"""Options of the whole suite."""

from __future__ import annotations

import pytest
from hypothesis import settings


def pytest_configure() -> None:
    # A busy machine is no fault of an example; what hangs is ended by the timeout of its test.
    settings.register_profile("tidegate", deadline=None)
    settings.load_profile("tidegate")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite", action="store_true", help="rewrite scenarios and golden files with today's answers")
