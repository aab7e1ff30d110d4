"""The same test with the load balancer of moto, which believes every target to be healthy, and of localemu, which looks."""

from __future__ import annotations

import pytest

BOTH = pytest.mark.parametrize("balancer_url", ["moto", "localemu"], indirect=True)
