"""Segments: named groups of users that rules of flags ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tidegate.cli.environment import Environment, chosen, subject_path
from tidegate.cli.flag_release import Base, Detach, FlagsPlan, Now, finish, how
from tidegate.cli.options import AsJson, Plain, Reason, Wait

Name = Annotated[str, typer.Argument(metavar="SEGMENT", help="Name of the segment.", show_default=False)]
Value = Annotated[
    str | None, typer.Argument(metavar="[VALUE]", help="A list of ids or a mapping in YAML; or --file.", show_default=False)
]
File = Annotated[Path | None, typer.Option("--file", "-f", help="A file with it; - for standard input.", metavar="FILE")]

group = typer.Typer(name="segments", help="Segments: named groups of users.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    app.add_typer(group)


@group.command("list")
def list_(environment: Environment = "", as_json: AsJson = False) -> None:
    """List the segments in force."""
    from tidegate.cli.client import open_client  # noqa: PLC0415
    from tidegate.cli.flag_views import all_segments  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415

    shown = screen(as_json=as_json)
    with open_client() as client:
        segments = client.get(subject_path(chosen(client, environment), "flags"))["content"].get("segments", {})
    if as_json:
        shown.document(segments)
    else:
        shown.say(all_segments(segments))


@group.command()
def show(segment: Name, environment: Environment = "", as_json: AsJson = False) -> None:
    """Show who belongs to a segment."""
    from tidegate.cli.client import open_client  # noqa: PLC0415
    from tidegate.cli.flag_views import as_yaml  # noqa: PLC0415
    from tidegate.cli.screen import clean, screen  # noqa: PLC0415
    from tidegate.core.errors import NotFound  # noqa: PLC0415

    shown = screen(as_json=as_json)
    with open_client() as client:
        segments = client.get(subject_path(chosen(client, environment), "flags"))["content"].get("segments", {})
    if segment not in segments:
        raise NotFound(f"There is no segment {segment!r}.", f"Known segments: {', '.join(sorted(segments)[:10]) or 'none'}.")
    if as_json:
        shown.document(segments[segment])
    else:
        shown.line(clean(as_yaml({segment: segments[segment]})))


@group.command("set")
def set_(
    *,
    segment: Name,
    value: Value = None,
    file: File = None,
    environment: Environment = "",
    plan: FlagsPlan = None,
    base: Base = None,
    now: Now = False,
    reason: Reason = "",
    detach: Detach = False,
    wait: Wait = False,
    plain: Plain = False,
    as_json: AsJson = False,
) -> None:
    """Say anew who belongs to a segment, and release it."""
    from tidegate.cli.client import open_client  # noqa: PLC0415
    from tidegate.cli.flag_file import read_content, read_value  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415
    from tidegate.core.errors import Refused  # noqa: PLC0415

    if (value is None) == (file is None):
        raise Refused("Give one: a value, or a file.", "As: tidegate segments set staff '[anna, bert]'.")
    content = read_value(value) if value is not None else read_content(file or Path("-"))
    body = {**how(plan=plan, base=base, now=now, reason=reason), "content": content}
    with open_client() as client:
        done = client.put(subject_path(chosen(client, environment), "segments", segment), body)
    finish(screen(as_json=as_json), done, detach=detach, wait=wait, plain=plain)
