"""Walks through the whole product: `tidegate up`, a real Envoy, real tasks, real users."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.walk import Tidegate


@pytest.fixture(scope="module")
def tidegate() -> Iterator[Tidegate]:
    """One for a file; each walk has services of its own."""
    with Tidegate() as tidegate:
        yield tidegate


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Says a figure to whoever runs the walk: pytest -s, or the report of a nightly run."""

    def tell(sentence: str) -> None:
        with capsys.disabled():
            print(f"\n  {sentence}", end="")  # noqa: T201 - that is what it is for

    return tell
