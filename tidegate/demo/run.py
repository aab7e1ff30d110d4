"""The demo: `make demo` or `tidegate demo`. Real processes, a real Envoy, real requests; nothing is pretended.

Two acts in one house: versions of a service, and flags. Each thing that is shown was counted by the demo's own users.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console

from tidegate.demo import features, releases
from tidegate.demo.stage import Amiss, Stage, free_port

ACTS: Mapping[int, Callable[[Stage], bool]] = {1: releases.play, 2: features.play}
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(acts: Sequence[int] = (1, 2), *, keep: bool = False) -> int:
    """The whole demo; 0 when everything went as it should. With `keep` it is left running to play with."""
    for number in _ENDINGS:
        signal.signal(number, _interrupt)
    stage = Stage(Path(tempfile.mkdtemp(prefix="tidegate-demo-")), free_port(), Console(highlight=False, soft_wrap=True))
    done = False
    try:
        lasting = "a minute and a half" if len(acts) > 1 else "a minute"
        stage.say(f"Tidegate's demo: about {lasting}, everything on this machine. Ctrl-C ends it at any time.")
        if code := stage.shielded("up", "--detach"):
            return code
        sound = [ACTS[act](stage) for act in acts]
        done = True
        return 0 if all(sound) else 1
    except KeyboardInterrupt:
        with suppress(OSError):
            stage.say("Interrupted.")
        return 130
    except Amiss as amiss:
        stage.say(str(amiss))
        return 1
    finally:
        for number in _ENDINGS:
            signal.signal(number, signal.SIG_IGN)  # whoever is impatient now would leave something running
        _end(stage, keep=keep and done)


def _interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt


def _end(stage: Stage, *, keep: bool) -> None:
    for users in stage.users:
        users.end()
    with suppress(OSError):  # the terminal may be gone
        stage.say("It goes on running. To play with it:" if keep else "Everything is taken down again.")
        if keep:
            stage.console.print(f"  cd {stage.home}; export TIDEGATE_HOME={stage.home} TIDEGATE_PORT={stage.api_port}")
            stage.console.print("  tidegate status; tidegate flags list; tidegate down")
    if not keep:
        stage.shielded("down")
        shutil.rmtree(stage.home, ignore_errors=True)
