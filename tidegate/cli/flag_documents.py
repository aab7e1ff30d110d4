"""Whole flag documents, and the environments that they are released in: read, checked, converted, taken over."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tidegate.cli.environment import Environment, chosen, subject_path
from tidegate.cli.options import AsJson

File = Annotated[Path, typer.Option("--file", "-f", help="The flag document; - for standard input.", metavar="FILE")]
EnvironmentFile = Annotated[
    Path, typer.Option("--file", "-f", help="The environment file; - for standard input.", metavar="FILE")
]
Format = Annotated[str, typer.Option("--format", metavar="FORMAT", help="tidegate, appconfig or flagd.")]
OutFormat = Annotated[str, typer.Option("--format", metavar="FORMAT", help="tidegate or appconfig.")]
Application = Annotated[
    str, typer.Option("--application", "-a", metavar="NAME", help="Of the document; flagd's and AppConfig's name none.")
]


def configure(file: EnvironmentFile, as_json: AsJson = False) -> None:
    """Take over an environment file.

    That is plan, alarms, comparison and who is told of it.
    """
    from tidegate.cli.client import open_client  # noqa: PLC0415
    from tidegate.cli.flag_file import read_content  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415
    from tidegate.core.document import read  # noqa: PLC0415
    from tidegate.core.environment import Environment as Wanted  # noqa: PLC0415

    shown = screen(as_json=as_json)
    sound = read(Wanted, read_content(file), str(file))
    with open_client() as client:
        answered = client.put(subject_path(sound.subject), sound.model_dump(mode="json", exclude_none=True))
    if as_json:
        shown.document(answered)
    else:
        shown.line(answered["sentence"])


def validate(file: File, format_: Format = "tidegate", application: Application = "app", as_json: AsJson = False) -> None:
    """Check a flag document, without asking anybody."""
    from tidegate.cli.flag_file import read_content  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415

    document = _read(read_content(file), format_, application)
    shown = screen(as_json=as_json)
    counts = {"application": document.application, "flags": len(document.flags), "segments": len(document.segments)}
    if as_json:
        shown.document(counts)
    else:
        shown.line(f"{file} is sound: {counts['flags']} flags and {counts['segments']} segments of {document.application}.")


def _read(content: Any, kind: str, application: str) -> Any:
    from tidegate.core.errors import Refused  # noqa: PLC0415
    from tidegate.core.flags.appconfig import read_appconfig  # noqa: PLC0415
    from tidegate.core.flags.flagd import read_flagd  # noqa: PLC0415
    from tidegate.core.flags.flags_file import read_flags  # noqa: PLC0415

    match kind:
        case "tidegate":
            return read_flags(content)
        case "appconfig":
            return read_appconfig(content, application)
        case "flagd":
            return read_flagd(content, application)
        case _:
            raise Refused(f"{kind!r} is no format of flag documents.", "Use tidegate, appconfig or flagd.")


def import_(file: File, format_: Format = "appconfig", application: Application = "app", as_json: AsJson = False) -> None:
    """Print a document of AppConfig or flagd in our words.

    Nothing is deployed.
    """
    from tidegate.cli.flag_file import read_content  # noqa: PLC0415
    from tidegate.cli.flag_views import as_yaml  # noqa: PLC0415
    from tidegate.cli.screen import clean, screen  # noqa: PLC0415
    from tidegate.core.flags.flags_writer import write_flags  # noqa: PLC0415

    content = write_flags(_read(read_content(file), format_, application))
    shown = screen(as_json=as_json)
    if as_json:
        shown.document(content)
    else:
        shown.line(clean(as_yaml(content)))


def export(environment: Environment = "", format_: OutFormat = "appconfig", as_json: AsJson = False) -> None:
    """Print the document in force for AppConfig, or in our words.

    Refused with the reason where its meaning would be lost.
    """
    from tidegate.cli.client import open_client  # noqa: PLC0415
    from tidegate.cli.flag_views import as_yaml  # noqa: PLC0415
    from tidegate.cli.screen import clean, screen  # noqa: PLC0415

    shown = screen(as_json=as_json)
    with open_client() as client:
        content = client.get(subject_path(chosen(client, environment), "flags"), format=format_)["content"]
    if as_json or format_ == "appconfig":
        shown.document(content)
    else:
        shown.line(clean(as_yaml(content)))


COMMANDS = (configure, validate, import_, export)
