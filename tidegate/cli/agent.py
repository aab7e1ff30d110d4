"""Agent: serves flags to the processes beside it. It needs no controller on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli.options import AsJson

if TYPE_CHECKING:
    from tidegate.agent.fetching import Source
    from tidegate.agent.settings import AgentSettings

Application = Annotated[
    str | None, typer.Option("--application", "-a", metavar="NAME", help="Whose flags; else that of PREFETCH_LIST.")
]
Environment = Annotated[
    str | None, typer.Option("--environment", "-e", metavar="NAME", help="In which environment; else that of PREFETCH_LIST.")
]
Control = Annotated[
    str | None,
    typer.Option(
        "--control", metavar="URL", help="The control plane's URL or unix socket; else TIDEGATE_CONTROL, else this home's."
    ),
]
AppConfig = Annotated[
    str | None,
    typer.Option(
        "--appconfig",
        metavar="APPLICATION/ENVIRONMENT/PROFILE",
        help="Read from AWS AppConfig, instead of a control plane; else TIDEGATE_APPCONFIG.",
    ),
]
Listen = Annotated[str | None, typer.Option("--listen", metavar="ADDRESS", help="Where to listen, 127.0.0.1 if not said.")]
Port = Annotated[int | None, typer.Option("--port", "-p", min=0, max=65535, help="Else HTTP_PORT, else 2772; 0 for any.")]
CacheIn = Annotated[
    Path | None, typer.Option("--cache", metavar="DIR", help="Where the flags are kept; else BACKUP_DIRECTORY, else ~/.cache.")
]


def add_to(app: typer.Typer) -> None:
    app.command()(agent)


def agent(
    *,
    application: Application = None,
    environment: Environment = None,
    control: Control = None,
    appconfig: AppConfig = None,
    listen: Listen = None,
    port: Port = None,
    cache: CacheIn = None,
    as_json: AsJson = False,
) -> None:
    """Serve flags to the processes beside it.

    Speaks the paths of AWS AppConfig's agent, and OFREP. It follows the control plane, and goes on answering when that is gone.
    """
    import os  # noqa: PLC0415

    from tidegate.agent.logs import configure_logs  # noqa: PLC0415
    from tidegate.agent.serve import run  # noqa: PLC0415
    from tidegate.agent.settings import Options, read_agent_settings  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415
    from tidegate.settings import read_settings  # noqa: PLC0415

    options = Options(application, environment, control, appconfig, listen, port, cache)
    settings = read_agent_settings(options, os.environ, read_settings().socket)
    shown = screen(as_json=as_json)

    def began(address: str) -> None:
        subject = f"{settings.application}/{settings.environment}"
        if as_json:
            shown.document({"application": settings.application, "environment": settings.environment, "address": address})
        else:
            shown.line(f"The agent of {subject} answers on {address}.")

    configure_logs(settings.log_level)
    run(settings, began, _source(settings))


def _source(settings: AgentSettings) -> Source | None:
    """AppConfig, where it reads from it. Raises Refused when boto3 is not there."""
    if not settings.appconfig:
        return None
    from tidegate.cli.aws import caller  # noqa: PLC0415
    from tidegate.core.access import HERE  # noqa: PLC0415
    from tidegate.drivers.aws.appconfig_data import AppConfigData  # noqa: PLC0415

    return AppConfigData(settings.appconfig, caller(HERE), settings.poll)
