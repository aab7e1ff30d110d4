"""The benches of bench.py as fixtures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drivers.process.bench import Bench, MemoryBench, RealBench


@pytest.fixture(params=["twin", pytest.param("real", marks=pytest.mark.real)])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    bench: Bench = MemoryBench() if request.param == "twin" else RealBench(tmp_path)
    yield bench
    bench.close()


@pytest.fixture
def real(tmp_path: Path) -> Iterator[RealBench]:
    bench = RealBench(tmp_path)
    yield bench
    bench.close()
