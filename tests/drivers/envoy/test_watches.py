"""More files than the system lets Envoy watch are refused before it hears of them: it would abort."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tidegate.core.errors import Refused
from tidegate.drivers.envoy.watches import require

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has this limit")


def test_a_few_are_granted() -> None:
    require(1, "web")


def test_too_many_are_refused_with_the_limit_to_raise() -> None:
    with pytest.raises(Refused, match=r"web needs 100000 more watched files, and the system grants \d+") as refused:
        require(100_000, "web")
    assert "fs.inotify.max_user_instances" in refused.value.mend


def test_asking_leaves_nothing_open() -> None:
    script = (
        "import os, sys; from tidegate.drivers.envoy.watches import require;"
        "before = len(os.listdir('/proc/self/fd')); require(5, 'web');"
        "sys.exit(len(os.listdir('/proc/self/fd')) - before)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
