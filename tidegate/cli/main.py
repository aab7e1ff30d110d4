"""`tidegate`: each command fills a struct, sends it to the controller, and prints the answer. Nothing is decided here.

Commands import what they need when they run, so that `tidegate --version` and the shell's completion are quick.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from tidegate import __version__
from tidegate.cli import (
    agent,
    aws,
    controller,
    demo,
    deploy,
    doctor,
    events,
    flags,
    forecast,
    history,
    logs,
    metrics,
    notify,
    open,
    release,
    report,
    rollouts,
    schema,
    segments,
    service_files,
    services,
    watch,
)

app = typer.Typer(
    name="tidegate",
    help="Lets a change in gradually and shuts by itself when it hurts.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# In the order of the help: begin, release, look, mend.
for _noun in (
    controller,
    agent,
    deploy,
    release,
    watch,
    rollouts,
    flags,
    segments,
    service_files,
    aws,
    forecast,
    services,
    history,
    report,
    events,
    logs,
    metrics,
    notify,
    doctor,
    open,
    schema,
    demo,
):
    _noun.add_to(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tidegate {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Ends with the exit code of docs/cli.md. Errors are two sentences: what happened, and the mend."""
    from tidegate.core.errors import TidegateError  # noqa: PLC0415

    words = list(sys.argv[1:] if arguments is None else arguments)
    _never_fail_at_a_letter()
    try:
        # Who starts us may have held interrupts back until we can hear them.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        app(words, prog_name="tidegate")
    except TidegateError as error:
        from tidegate.cli.screen import screen  # noqa: PLC0415

        screen(as_json="--json" in words).problem(error)
        sys.exit(2)
    except BrokenPipeError:
        # Whoever read us has seen enough (head). Python would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(130)


def _never_fail_at_a_letter() -> None:
    """A terminal without UTF-8 gets a question mark for what it cannot show."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
