"""Open: the dashboard in a browser, signed in as who typed it."""

from __future__ import annotations

from typing import Annotated

import typer

from tidegate.cli.options import AsJson

Print = Annotated[bool, typer.Option("--print", help="Only print the address; it works once, within two minutes.")]


def add_to(app: typer.Typer) -> None:
    app.command("open")(open_dashboard)


def open_dashboard(print_: Print = False, as_json: AsJson = False) -> None:
    """Open the dashboard in a browser, signed in.

    From elsewhere: ssh -L 7400:127.0.0.1:7400 MACHINE, and open the address that is printed there.
    """
    import webbrowser  # noqa: PLC0415

    from tidegate.cli.client import Client  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415
    from tidegate.core.errors import Refused  # noqa: PLC0415
    from tidegate.settings import read_settings  # noqa: PLC0415

    settings, shown = read_settings(), screen(as_json=as_json)
    if not settings.port:
        raise Refused("This Tidegate has no port: TIDEGATE_PORT is 0.", "Give it one: TIDEGATE_PORT=7400 tidegate up.")
    with Client(settings) as client:
        found = client.post("/login", {})
    url = f"http://127.0.0.1:{settings.port}/login#{found['code']}"
    if as_json:
        shown.document({"url": url, "user": found["user"], "until": found["until"]})
        return
    shown.line(url)
    if print_ or not shown.out.is_terminal or not webbrowser.open(url):
        shown.line(f"Signs in {found['user']}, once, within two minutes.")
