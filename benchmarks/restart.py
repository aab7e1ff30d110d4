"""How long a rollout is without a controller when that is killed: from `kill -9` until the next one has looked and written.

    python -m benchmarks.restart [TIMES]

The whole Tidegate with a real Envoy and one rollout in flight. Wall time, and the CPU time that the new controller needed by
then, which says more while the machine has other things to do.
"""

from __future__ import annotations

import statistics
import sys
import time

import psutil

from tests.support.walk import CANARY, Tidegate

GOAL = 1.0
TIMES = 10


def main() -> None:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else TIMES
    looked, spent, answered = [], [], []
    with Tidegate(tick="1s") as tidegate:
        tidegate.serve("shop")
        rollout = tidegate.deploy("shop", "v2", plan=CANARY | {"canary": {"first": "50%", "hold": "1h"}})
        tidegate.phase(rollout, "watching")
        for _ in range(times):
            time.sleep(6)  # who ends soon after its start is given time
            killed = tidegate.kill("controller")
            began, written = time.monotonic(), tidegate.revision(rollout)
            looked.append(tidegate.healed(rollout, written))
            tidegate.back("controller", killed)
            spent.append(sum(psutil.Process(tidegate.pid("controller")).cpu_times()[:2]))
            tidegate.answers()
            answered.append(time.monotonic() - began)
    print(f"after kill -9 of the controller, {times} times (goal: looked after again within {GOAL} s)")
    for what, figures in (("looked after again", looked), ("CPU spent by then", spent), ("the API answers", answered)):
        print(f"  {what:20} median {statistics.median(figures):5.2f} s  worst {max(figures):5.2f} s")
    print(f"  ratio to the goal    median {statistics.median(looked) / GOAL:5.2f}  worst {max(looked) / GOAL:5.2f}")


if __name__ == "__main__":
    main()
