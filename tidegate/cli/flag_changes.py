"""Changes of flags: each makes a new document and releases it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate.cli.environment import chosen, subject_path
from tidegate.cli.flag_documents import Format
from tidegate.cli.flag_release import Release, finish, releasing, tell_first

if TYPE_CHECKING:
    from tidegate.cli.client import Client
    from tidegate.core.flags.document import FlagDocument

Name = Annotated[str, typer.Argument(metavar="FLAG", help="Name of the flag.", show_default=False)]
Value = Annotated[str, typer.Argument(metavar="VALUE", help="on, off, a value, or a mapping in YAML.", show_default=False)]
MaybeFile = Annotated[
    Path | None, typer.Option("--file", "-f", help="The flag document; - for standard input.", metavar="FILE")
]
Document = Annotated[
    int | None, typer.Option("--document", min=1, metavar="NUMBER", help="A document that there is already, instead of a file.")
]


@releasing
def set_(flag: Name, value: Value, *, release: Release) -> None:
    """Give a flag another value or rules, and release it."""
    from tidegate.cli.flag_file import read_value  # noqa: PLC0415
    from tidegate.core.flags.edit import set_flag  # noqa: PLC0415

    content = read_value(value)
    change(
        release,
        lambda now: set_flag(now, flag, content),
        lambda client, subject, body: client.put(subject_path(subject, "flags", flag), {**body, "content": content}),
    )


@releasing
def on(flag: Name, *, release: Release) -> None:
    """Turn a flag on, step by step.

    For everybody, or for whom its rules say.
    """
    from tidegate.core.flags.edit import turn_on  # noqa: PLC0415

    change(
        release,
        lambda now: turn_on(now, flag),
        lambda client, subject, body: client.post(subject_path(subject, "flags", flag, "on"), body),
    )


@releasing
def off(flag: Name, *, release: Release) -> None:
    """Turn a flag off; with --now for everybody at once.

    Its rules are kept, so that it can be turned on again as it was.
    """
    from tidegate.core.flags.edit import turn_off  # noqa: PLC0415

    change(
        release,
        lambda now: turn_off(now, flag),
        lambda client, subject, body: client.post(subject_path(subject, "flags", flag, "off"), body),
    )


@releasing
def remove(flag: Name, *, release: Release) -> None:
    """Take a flag out of the document, step by step.

    Whoever still asks for it gets his own default. Refused while another flag needs it.
    """
    from tidegate.core.flags.edit import remove_flag  # noqa: PLC0415

    change(
        release,
        lambda now: remove_flag(now, flag),
        lambda client, subject, body: client.delete(subject_path(subject, "flags", flag), body),
    )


def change(
    release: Release,
    edit: Callable[[FlagDocument], FlagDocument],
    ask: Callable[[Client, str, dict[str, Any]], Any],
) -> None:
    """Says what the change would do, and asks for it: of the document that it was said of, and of no other one."""
    from tidegate.cli.client import open_client  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415
    from tidegate.core.flags.flags_file import read_flags  # noqa: PLC0415
    from tidegate.core.flags.flags_writer import write_flags  # noqa: PLC0415

    shown, body = screen(as_json=release.as_json), release.body
    with open_client() as client:
        subject = chosen(client, release.environment)
        if not release.now:
            now = client.get(subject_path(subject, "flags"))["content"]
            body["base"] = tell_first(client, shown, subject, {"content": write_flags(edit(read_flags(now)))}, release)
        done = ask(client, subject, body)
    finish(shown, done, release)


@releasing
def deploy(file: MaybeFile = None, document: Document = None, format_: Format = "tidegate", *, release: Release) -> None:
    """Release a flag document step by step and follow it.

    Says before what changes for whom, and what looks after it. Exit codes are those of `tidegate deploy`.
    """
    from tidegate.cli.client import open_client  # noqa: PLC0415
    from tidegate.cli.flag_file import read_content  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415
    from tidegate.core.errors import Refused  # noqa: PLC0415

    if (file is None) == (document is None):
        raise Refused("Name one: a file, or the number of a document.", "tidegate flags deploy -f FILE, or --document NUMBER.")
    shown = screen(as_json=release.as_json)
    content = None if file is None else read_content(file)
    wanted = {"number": document} if file is None else {"content": content, "format": format_}
    with open_client() as client:
        subject = chosen(client, release.environment, _application(content))
        base = tell_first(client, shown, subject, wanted, release)
        body = {**release.body, **wanted} if base is None else {**release.body, **wanted, "base": base}
        done = client.post(subject_path(subject, "deploy"), body)
    finish(shown, done, release)


def _application(content: Any) -> str:
    said = content.get("application") if isinstance(content, dict) else None
    return said if isinstance(said, str) else ""


COMMANDS = (set_, on, off, remove, deploy)
