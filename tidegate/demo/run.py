"""The demo: `make demo` or `tidegate demo`. Real processes, a real Envoy, real requests; nothing is pretended.

Version 1 serves; a good version 2 replaces it step by step; version 3 fails 5 % of its POSTs and is taken back by itself;
in the end Tidegate's account of harm stands beside what the demo's own users counted.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

RATE = 120
PEOPLE = 1000
GOOD_PLAN = "canary 25% hold 12s bake 5s"
BAD_PLAN = "linear 10% every 30s bake 10s"


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the demo runs: a directory of its own, two free ports, and where it talks to."""

    home: Path
    port: int
    api_port: int
    console: Console

    @property
    def env(self) -> dict[str, str]:
        return dict(
            os.environ,
            TIDEGATE_HOME=str(self.home),
            TIDEGATE_PORT=str(self.api_port),
            TIDEGATE_TICK="500ms",
            TIDEGATE_DATABASE="",
        )

    def say(self, text: str) -> None:
        self.console.print()
        self.console.print(Text(text, style="bold"))

    def tidegate(self, *words: str) -> int:
        """Runs a command as a person would type it, and shows it."""
        self.console.print(Text(f"$ tidegate {' '.join(_quoted(word) for word in words)}", style="cyan"))
        return subprocess.run([sys.executable, "-m", "tidegate", *words], env=self.env, cwd=self.home, check=False).returncode

    def ask(self, *words: str) -> Any:
        """The same with --json, silently."""
        command = [sys.executable, "-m", "tidegate", *words, "--json"]
        done = subprocess.run(command, env=self.env, cwd=self.home, check=False, capture_output=True, text=True)
        return json.loads(done.stdout)


def run(*, keep: bool = False) -> int:
    """The whole demo; 0 when everything went as it should. With `keep` it is left running to play with."""
    home = Path(tempfile.mkdtemp(prefix="tidegate-demo-"))
    stage = Stage(home, _free_port(), _free_port(), Console(highlight=False, soft_wrap=True))
    users: subprocess.Popen[bytes] | None = None
    done = False
    try:
        _write_files(stage)
        stage.say("Tidegate's demo: about two minutes, everything on this machine. Ctrl-C ends it at any time.")
        _must(stage.tidegate("up", "--detach"), 0)
        stage.say("Version 1 is deployed. It is the first, so there is nothing to protect, and no steps.")
        _must(stage.tidegate("deploy", "-f", "shop.yaml", "--version", "v1"), 0)
        stage.say(f"{PEOPLE:,} users begin to send {RATE} requests a second; every user is known by a header.")
        users = _begin_load(stage)
        stage.say("Version 2 is good. It goes to a growing share of the users, each of whom moves once.")
        _must(stage.tidegate("deploy", "-f", "shop.yaml", "--version", "v2", "--plan", GOOD_PLAN), 0)
        stage.say("Version 3 is bad: 5% of its POST requests fail. Nobody will press a button.")
        _must(stage.tidegate("deploy", "-f", "bad.yaml", "--version", "v3", "--plan", BAD_PLAN), 3)
        time.sleep(2)  # so that the users' own count has everything
        agreed = _account(stage)
        stage.say("What was decided, and why: every decision has its figures.")
        stage.tidegate("explain", "shop-3")
        done = True
        return 0 if agreed else 1
    except KeyboardInterrupt:
        stage.say("Ended by Ctrl-C.")
        return 130
    finally:
        _end(stage, users, keep=keep and done)


def _end(stage: Stage, users: subprocess.Popen[bytes] | None, *, keep: bool) -> None:
    if users is not None:
        users.send_signal(signal.SIGTERM)
        users.wait(timeout=15)
    if keep:
        stage.say(f"It goes on running. The shop is at http://127.0.0.1:{stage.port}/. To play with it:")
        stage.console.print(f"  cd {stage.home}; export TIDEGATE_HOME={stage.home} TIDEGATE_PORT={stage.api_port}")
        stage.console.print("  tidegate status; tidegate deploy -f shop.yaml --version v4; tidegate down")
        return
    stage.say("Everything is taken down again.")
    stage.tidegate("down")
    shutil.rmtree(stage.home, ignore_errors=True)


def _write_files(stage: Stage) -> None:
    command = [sys.executable, "-m", "tidegate.demo.shop", "--port", "{port}", "--version", "{version}"]
    alarm = {
        "name": "errors",
        "metric": "error_rate",
        "above": "0.5%",
        "period": "2s",
        "datapoints": "2 of 3",
        "missing": "not_breaching",
    }
    shop: dict[str, Any] = {
        "service": "shop",
        "listener": {"port": stage.port},
        "stickiness": {"header": "x-user-id", "cookie": "tidegate"},
        "tasks": {
            "command": command,
            "count": 2,
            "health": {"path": "/healthz", "interval": "500ms"},
            "drain": "2s",
        },
        "plan": GOOD_PLAN,
        "alarms": [alarm],
    }
    (stage.home / "shop.yaml").write_text(yaml.safe_dump(shop, sort_keys=False))
    bad = dict(shop, tasks=dict(shop["tasks"], command=[*command, "--fail", "POST=5%"]))
    (stage.home / "bad.yaml").write_text(yaml.safe_dump(bad, sort_keys=False))


def _begin_load(stage: Stage) -> subprocess.Popen[bytes]:
    words = ["--url", f"http://127.0.0.1:{stage.port}/", "--people", str(PEOPLE), "--rate", str(RATE), "--for", "10m"]
    command = [sys.executable, "-m", "tidegate.demo.load", *words, "--out", str(_seen_file(stage))]
    return subprocess.Popen(command)


def _seen_file(stage: Stage) -> Path:
    return stage.home / "seen.json"


def _account(stage: Stage) -> bool:
    """Tidegate's account beside the users' own; whether they agree."""
    seen = json.loads(_seen_file(stage).read_text())
    harm = stage.ask("history", "shop")[0]["harm"]
    failures, answers = seen["failures"].get("v3", 0), seen["answers"].get("v3", 0)
    table = Table(title="Who was harmed by version 3", title_justify="left")
    for heading in ("", "Tidegate counted", "the users counted"):
        table.add_column(heading, justify="left" if not heading else "right")
    table.add_row("requests that reached it", f"{harm['requests']:,}", f"{answers:,}")
    table.add_row("failures that users saw", f"{harm['seen']:,}", f"{failures:,}")
    table.add_row("users who met it", f"at most {harm['most']}", f"{seen['users'].get('v3', 0):,} of {PEOPLE:,}")
    table.add_row("users who saw a failure", "", f"{seen['harmed'].get('v3', 0):,}")
    table.add_row("from the first failure to the decision", str(harm["time_to_detect"]), "")
    table.add_row("from the decision to exposure zero", str(harm["time_to_act"]), "")
    table.add_row("failures on versions 1 and 2", "", f"{seen['failures'].get('v1', 0) + seen['failures'].get('v2', 0):,}")
    table.add_row("requests that no version answered", "", f"{sum(seen['lost'].values()):,}")
    stage.console.print()
    stage.console.print(table)
    for why, count in seen["lost"].items():
        stage.console.print(f"{count:,} requests were lost: {why}.")
    agreed = harm["requests"] == answers and harm["seen"] == failures and not seen["lost"]
    stage.console.print("Both counts agree." if agreed else "The counts do NOT agree: please report this.")
    return bool(agreed)


def _must(code: int, expected: int) -> None:
    if code != expected:
        raise SystemExit(f"The demo expected this command to end with {expected}, but it ended with {code}.")


def _quoted(word: str) -> str:
    return f'"{word}"' if " " in word else word


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
