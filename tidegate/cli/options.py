"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tidegate.cli.completion import rollout_ids, service_names, subject_names, version_names

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Plain = Annotated[bool, typer.Option("--plain", help="A line for each change, instead of a live picture.")]
Wait = Annotated[bool, typer.Option("--wait", help="Stay also while it waits for a person.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is written into the history.", metavar="TEXT")]
File = Annotated[Path, typer.Option("--file", "-f", help="The service file; - for standard input.", metavar="FILE")]
Plan = Annotated[
    str | None, typer.Option("--plan", metavar="PLAN", help="Instead of the file's plan, as `linear 10% every 1m`.")
]
OneService = Annotated[
    str, typer.Argument(metavar="SERVICE", help="Name of the service.", autocompletion=service_names, show_default=False)
]
MaybeService = Annotated[
    str | None,
    typer.Argument(metavar="[SERVICE]", help="Name of a service; all without it.", autocompletion=service_names),
]
OneRollout = Annotated[
    str, typer.Argument(metavar="ROLLOUT", help="Id of the rollout, as web-3.", autocompletion=rollout_ids, show_default=False)
]
OfVersion = Annotated[
    str | None, typer.Option("--version", help="Only of this version.", metavar="VERSION", autocompletion=version_names)
]
OneSubject = Annotated[
    str,
    typer.Argument(
        metavar="SERVICE",
        help="Name of the service, or environment as shop/prod.",
        autocompletion=subject_names,
        show_default=False,
    ),
]
MaybeSubject = Annotated[
    str | None,
    typer.Argument(
        metavar="[SERVICE]", help="A service, or environment as shop/prod; all without it.", autocompletion=subject_names
    ),
]
