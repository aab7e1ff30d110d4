"""Which environment a command about flags means, and the path under which it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli.completion import environment_names

if TYPE_CHECKING:
    from tidegate.cli.client import Client

Environment = Annotated[
    str,
    typer.Option(
        "--environment",
        "-e",
        metavar="APPLICATION/ENVIRONMENT",
        help="As shop/prod; not needed where there is one only.",
        autocompletion=environment_names,
    ),
]


def subject_path(subject: str, *parts: str) -> str:
    """Of a service, or of an environment as shop/prod."""
    from tidegate.cli.client import path_of  # noqa: PLC0415

    application, slash, environment = subject.partition("/")
    if slash:
        return path_of("applications", application, "environments", environment, *parts)
    return path_of("services", subject, *parts)


def chosen(client: Client, said: str, application: str = "") -> str:
    """The one that was said, or the only one there is. `application` is the one that a file names."""
    from tidegate.core.errors import Refused  # noqa: PLC0415

    if "/" in said:
        return said
    names = [str(one["name"]) for one in client.get("/environments")]
    if said and application:
        return f"{application}/{said}"
    fitting = [name for name in names if said in ("", name.partition("/")[2])]
    fitting = [name for name in fitting if application in ("", name.partition("/")[0])]
    if len(fitting) == 1:
        return fitting[0]
    if not names:
        raise Refused(
            "There is no environment yet.", "Begin one: tidegate flags deploy -f flags.yaml -e APPLICATION/ENVIRONMENT."
        )
    raise Refused("It is not clear which environment is meant.", f"Name one: -e {' or -e '.join((fitting or names)[:5])}.")
