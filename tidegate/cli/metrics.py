"""Alarms, and values of metrics that somebody pushes."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from tidegate.cli.completion import environment_names
from tidegate.cli.options import AsJson, MaybeSubject

Label = Annotated[list[str] | None, typer.Option("--label", "-l", metavar="NAME=VALUE", help="A label; may be repeated.")]
OfService = Annotated[str | None, typer.Option("--service", metavar="SERVICE", help="Of which service it is.")]
OfVersion = Annotated[str | None, typer.Option("--version", metavar="VERSION", help="Of which version it is, or document.")]


OfEnvironment = Annotated[
    str | None,
    typer.Option(
        "--environment",
        "-e",
        metavar="APPLICATION/ENVIRONMENT",
        help="Of which environment it is, instead of a service.",
        autocompletion=environment_names,
    ),
]


def add_to(app: typer.Typer) -> None:
    app.command()(alarms)
    app.command()(push)


def alarms(service: MaybeSubject = None, as_json: AsJson = False) -> None:
    """List the alarms."""
    from tidegate.cli.answers import Guard, read_as  # noqa: PLC0415
    from tidegate.cli.client import open_client  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415
    from tidegate.cli.service_views import add_alarms, plain_table  # noqa: PLC0415

    shown = screen(as_json=as_json)
    with open_client() as client:
        content = client.get("/alarms", service=service)
    if as_json:
        shown.document(content)
        return
    table = plain_table("service", "alarm", "state", "")
    for one in content:
        add_alarms(table, [read_as(Guard, alarm) for alarm in one["alarms"]], one["service"])
    if table.row_count:
        shown.say(table)
    else:
        shown.line("No alarm yet. Write some into the service file or environment file, under alarms.")


def push(
    *,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the metric; alarms say pushed:NAME.", show_default=False)
    ],
    value: Annotated[float, typer.Argument(metavar="VALUE", help="Its value now.", show_default=False)],
    label: Label = None,
    service: OfService = None,
    environment: OfEnvironment = None,
    version: OfVersion = None,
    as_json: AsJson = False,
) -> None:
    """Push one value of a metric."""
    from tidegate.cli.client import open_client, path_of  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415
    from tidegate.core.errors import Invalid  # noqa: PLC0415

    if not math.isfinite(value):
        raise Invalid(f"{value} is no value of a metric.", "Push an ordinary number.", "value")
    labels = {}
    for one in label or []:
        key, equals, text = one.partition("=")
        if not equals or not key:
            raise Invalid(f"The label {one!r} has no value.", "Write it as NAME=VALUE.", "label")
        labels[key] = text
    body = {"value": value, "labels": labels, "service": service, "environment": environment, "version": version}
    with open_client() as client:
        answered = client.post(path_of("metrics", name), {key: given for key, given in body.items() if given is not None})
    shown = screen(as_json=as_json)
    if as_json:
        shown.document(answered)
    else:
        shown.line(f"{name} is {value:g}.")
