"""What evaluating a flag costs in one process, beside other engines in the same run; and what loading 10,000 flags takes.

    python -m benchmarks.flags_evaluate [--alone]

Three cases (flags_cases.py): a flag that is on, five rules with a list of 100 ids, a 25 % split. Each engine first answers for
10,000 users, and is left out when an answer is wrong; who is in the split is each engine's own matter, how many is not. All
are offline and have their users made before. Figures are the best of several rounds, as ratios to the fastest other engine.

The others live in an environment of their own, made below the cache folder, so that nothing of them is a dependency here.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.flags_cases import IDS, SHARE, Ask, measure, users
from tests.core.flags.naive import Naive
from tidegate.core.flags.codec import decode, digest, encode
from tidegate.core.flags.document import FlagDocument
from tidegate.core.flags.evaluate import Evaluator
from tidegate.core.flags.flags_file import read_flags
from tidegate.core.flags.rule_text import _remembered
from tidegate.core.flags.staged import Staged

PINNED = (
    "statsig-python-core==0.24.2",
    "launchdarkly-server-sdk==9.18.2",
    "UnleashClient==6.9.1",
    "growthbook==4.0.0",
    "openfeature-flagd-core==2.0.0",
    "flipt-client==1.4.5",
)
FLAGS = 10_000
GOAL_RATIO, GOAL_LOAD_MS, GOAL_MEMORY_MB = 3.0, 100.0, 60.0


def main() -> int:
    loaded = load_and_memory()
    everybody = users()
    ours = measure(our_asks(everybody), everybody)
    engines: dict[str, dict[str, Any]] = {"tidegate, staged": measure(staged_asks(everybody), everybody)}
    engines["plain interpreter"] = measure(naive_asks(everybody), everybody)
    peers = {} if "--alone" in sys.argv else ask_peers()
    # Once more: others use the machine, too.
    again = measure(our_asks(everybody), everybody)
    ours = {name: min(ours[name], again[name]) for name in ours}
    print("nanoseconds an answer")
    for name, figures in {"tidegate": ours, **engines, **peers}.items():
        print(f"  {name:<24} {say(figures)}")
    return max(loaded, told(ours, peers))


def say(figures: dict[str, Any]) -> str:
    if "error" in figures:
        return f"left out: {figures['error']}"
    return "  ".join(f"{name} {figures[name]:>9,.0f}" for name in ("on", "five", "split"))


def told(ours: dict[str, float], peers: dict[str, dict[str, Any]]) -> int:
    sound = {name: figures for name, figures in peers.items() if "error" not in figures}
    missed = 0
    for case in ours if sound else ():
        fastest = min(sound, key=lambda name: sound[name][case])
        ratio = sound[fastest][case] / ours[case]
        missed |= ratio < GOAL_RATIO
        print(f"  {case:<6} {ratio:5.1f} times as fast as the fastest other engine, {fastest} (goal {GOAL_RATIO:.0f})")
    return int(missed)


# --- Ours -------------------------------------------------------------------------------------------------------------------


def the_flags() -> FlagDocument:
    listed = ", ".join(f'"{entity}"' for entity in IDS)
    rules = (
        'country == "FR" and plan == "pro"',
        "age >= 65",
        'email ends with "@example.org"',
        f"userId in [{listed}]",
        'country in ["DE", "AT"]',
    )
    five = {f"v{index + 1}": {"value": f"v{index + 1}", "when": rule} for index, rule in enumerate(rules)}
    flags = {"on": "on", "five": {"variants": {**five, "v0": "v0"}}, "split": {"when": f"{SHARE}% by userId"}}
    return read_flags({"application": "bench", "flags": flags})


def our_asks(everybody: list[dict[str, Any]]) -> dict[str, Ask]:
    evaluate = Evaluator(the_flags()).evaluate
    return {name: (lambda number, name=name: evaluate(name, everybody[number]).value) for name in ("on", "five", "split")}  # type: ignore[misc]


def staged_asks(everybody: list[dict[str, Any]]) -> dict[str, Ask]:
    """In the middle of a rollout: half of the users are evaluated against the candidate."""
    document = the_flags()
    staged = Staged(document, document.numbered(2), "salt").at(_half())
    contexts = [{**user, "targetingKey": user["userId"]} for user in everybody]
    evaluate = staged.evaluate
    return {name: (lambda number, name=name: evaluate(name, contexts[number]).value) for name in ("on", "five", "split")}  # type: ignore[misc]


def _half() -> Any:
    from tidegate.core.exposure import Exposure  # noqa: PLC0415 - beside its only user

    return Exposure(5000)


def naive_asks(everybody: list[dict[str, Any]]) -> dict[str, Ask]:
    """The rules walked node by node: what compiling them gains."""
    document = the_flags()
    naive = Naive(document)

    def ask(name: str) -> Ask:
        flag = document.flags[name]
        values = {variant.name: variant.value for variant in flag.variants}
        return lambda number: values[naive.answer(name, everybody[number])[0] or ""]

    return {name: ask(name) for name in ("on", "five", "split")}


def load_and_memory() -> int:
    """From the text of an agent's snapshot, with its digest, to the first answer; and with every flag compiled."""
    text = _text_of_many()
    _remembered.cache_clear()
    expected = digest(decode(text))
    process = psutil.Process()
    gc.collect()
    before = process.memory_info().rss
    best = 1e9
    for _ in range(5):
        begun = time.process_time()
        evaluator = Evaluator(decode(text, expected))
        evaluator.evaluate("flag-17", {"userId": "u1"})
        best = min(best, (time.process_time() - begun) * 1000)
    begun = time.process_time()
    answers = evaluator.evaluate_all({"userId": "u1", "country": "DE"})
    compiled = (time.process_time() - begun) * 1000
    gc.collect()
    memory = (process.memory_info().rss - before) / 1e6
    print(f"loading {len(answers):,} flags ({len(text) / 1e6:.1f} MB of text), CPU time")
    print(f"  {best:.0f} ms to the first answer (goal {GOAL_LOAD_MS:.0f}); {compiled:.0f} ms for every flag's first answer")
    print(f"  {memory:.0f} MB with all of them compiled (goal {GOAL_MEMORY_MB:.0f})")
    return int(best > GOAL_LOAD_MS or memory > GOAL_MEMORY_MB)


def _text_of_many() -> str:
    def flag(number: int) -> Any:
        match number % 5:
            case 0:
                return "on"
            case 1:
                return {"when": "25% by userId"}
            case 2:
                chosen = {"value": "x", "when": f'country in ["DE", "AT"] and plan == "p{number}"'}
                return {"variants": {"a": chosen, "b": {"value": "y", "when": f'userId in ["u{number}", "u1"]'}, "c": "z"}}
            case 3:
                return number
            case _:
                return {
                    "when": f'email ends with "@x{number}.org" or in segment staff',
                    "owner": "team",
                    "description": "one of many",
                }

    flags = {f"flag-{number}": flag(number) for number in range(FLAGS)}
    staff = [f"u{number}" for number in range(1000)]
    return encode(read_flags({"application": "bench", "segments": {"staff": staff}, "flags": flags}))


# --- Others -----------------------------------------------------------------------------------------------------------------


def ask_peers() -> dict[str, dict[str, Any]]:
    python = environment()
    if python is None:
        return {}
    said: dict[str, dict[str, Any]] = {}
    for name in (pin.partition("==")[0] for pin in PINNED):
        command = [str(python), str(Path(__file__).parent / "flags_peers.py"), name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        said |= json.loads(lines[-1]) if lines else {name: {"error": f"it ended with {done.returncode}"}}
    return said


def environment() -> Path | None:
    """The others' Python, made when it is not there. None when they cannot be installed."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tidegate"
    home = cache / f"flag-engines-{sys.version_info.major}.{sys.version_info.minor}"
    python, done = home / "bin" / "python", home / "installed"
    if done.exists() and done.read_text() == " ".join(PINNED):
        return python
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PINNED]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        print("the other engines could not be installed: only ours is measured")
        return None
    done.write_text(" ".join(PINNED))
    return python


if __name__ == "__main__":
    sys.exit(main())
