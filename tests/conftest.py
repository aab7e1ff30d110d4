"""Options of the whole suite."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings


def pytest_configure() -> None:
    # A busy machine is no fault of an example; what hangs is ended by the timeout of its test. A change is judged by the same
    # examples at each run; with EXPLORE=1, as in `make nightly`, by others.
    settings.register_profile("tidegate", deadline=None, derandomize=not os.environ.get("EXPLORE"))
    settings.load_profile("tidegate")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite", action="store_true", help="rewrite scenarios and golden files with today's answers")
