"""Segments: named groups of users that rules of flags ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tidegate.cli.environment import Environment, chosen, subject_path
from tidegate.cli.flag_changes import change
from tidegate.cli.flag_release import Release, releasing
from tidegate.cli.options import AsJson

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
@releasing
def set_(segment: Name, value: Value = None, file: File = None, *, release: Release) -> None:
    """Say anew who belongs to a segment, and release it."""
    from tidegate.cli.flag_file import read_content, read_value  # noqa: PLC0415
    from tidegate.core.errors import Refused  # noqa: PLC0415
    from tidegate.core.flags.edit import set_segment  # noqa: PLC0415

    if (value is None) == (file is None):
        raise Refused("Give one: a value, or a file.", "As: tidegate segments set staff '[anna, bert]'.")
    content = read_value(value) if value is not None else read_content(file or Path("-"))
    change(
        release,
        lambda now: set_segment(now, segment, content),
        lambda client, subject, body: client.put(subject_path(subject, "segments", segment), {**body, "content": content}),
    )


@group.command()
@releasing
def remove(segment: Name, *, release: Release) -> None:
    """Take a segment out of the document, step by step.

    Refused while a flag asks for it.
    """
    from tidegate.core.flags.edit import remove_segment  # noqa: PLC0415

    change(
        release,
        lambda now: remove_segment(now, segment),
        lambda client, subject, body: client.delete(subject_path(subject, "segments", segment), body),
    )
