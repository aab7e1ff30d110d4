"""The schemas of the files that people write, and examples of them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from tidegate.cli.options import AsJson


class Kind(StrEnum):
    SERVICE = "service"
    FLAGS = "flags"
    ENVIRONMENT = "environment"
    RELEASE = "release"


What = Annotated[Kind, typer.Argument(metavar="KIND", help="Of what: service, flags, environment or release.")]


def add_to(app: typer.Typer) -> None:
    app.command()(schema)
    app.command()(example)


def schema(kind: What = Kind.SERVICE, as_json: AsJson = False) -> None:  # noqa: ARG001 - it is JSON in any case
    """Print the JSON Schema of a file, for editors."""
    from tidegate.cli.screen import screen  # noqa: PLC0415

    screen(as_json=True).document(_schema(kind))


def _schema(kind: Kind) -> dict[str, Any]:
    from tidegate.core.environment_schema import environment_schema  # noqa: PLC0415
    from tidegate.core.flags.flags_schema import flags_schema  # noqa: PLC0415
    from tidegate.core.release_schema import release_schema  # noqa: PLC0415
    from tidegate.core.service_schema import service_schema  # noqa: PLC0415

    schemas = {
        Kind.SERVICE: service_schema,
        Kind.FLAGS: flags_schema,
        Kind.ENVIRONMENT: environment_schema,
        Kind.RELEASE: release_schema,
    }
    return schemas[kind]()


def example(kind: What = Kind.SERVICE, as_json: AsJson = False) -> None:
    """Print a file to begin with."""
    from tidegate.cli.example import ENVIRONMENT, FLAGS, RELEASE, SERVICE  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415
    from tidegate.core.text import read_yaml  # noqa: PLC0415

    text = {Kind.SERVICE: SERVICE, Kind.FLAGS: FLAGS, Kind.ENVIRONMENT: ENVIRONMENT, Kind.RELEASE: RELEASE}[kind]
    shown = screen(as_json=as_json)
    if as_json:
        shown.document(read_yaml(text, "the example"))
    else:
        shown.out.out(text, end="", highlight=False)
