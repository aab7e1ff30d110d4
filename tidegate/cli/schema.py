"""The schema of the service file, and an example of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from tidegate.cli.options import AsJson


class Kind(StrEnum):
    SERVICE = "service"


What = Annotated[Kind, typer.Argument(metavar="KIND", help="Of what: service.", show_default=False)]


def add_to(app: typer.Typer) -> None:
    app.command()(schema)
    app.command()(example)


def schema(as_json: AsJson = False) -> None:  # noqa: ARG001 - it is JSON in any case
    """Print the JSON Schema of the service file."""
    from tidegate.cli.screen import screen  # noqa: PLC0415
    from tidegate.core.service_schema import service_schema  # noqa: PLC0415

    screen(as_json=True).document(service_schema())


def example(kind: What = Kind.SERVICE, as_json: AsJson = False) -> None:  # noqa: ARG001 - there is one kind
    """Print a service file to begin with."""
    from tidegate.cli.example import SERVICE  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415
    from tidegate.core.text import read_yaml  # noqa: PLC0415

    shown = screen(as_json=as_json)
    if as_json:
        shown.document(read_yaml(SERVICE, "the example"))
    else:
        shown.out.out(SERVICE, end="", highlight=False)
