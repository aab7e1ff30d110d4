"""Every figure, one after the other: `make bench`. Each of them alone: `python -m benchmarks.controller`, and so on.

Figures are ratios within one run: a machine is not as fast as another, nor as itself an hour later.
"""

from __future__ import annotations

import subprocess
import sys

ALL = (
    "envoy_overhead",
    "promote",
    "controller",
    "restart",
    "comparison_cpu",
    "flags_evaluate",
    "flags_agent",
    "flags_fleet",
    "dashboard",
)


def main() -> int:
    codes = []
    for name in ALL:
        print(f"\n== {name}", flush=True)
        codes.append(subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
