"""Services and flags on AWS, before Tidegate has them: what is there, what it may do, and taking over one that runs.

These commands ask AWS themselves, with the credentials of whoever types them. No controller is needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli.aws_adopt import adopt
from tidegate.cli.options import AsJson

if TYPE_CHECKING:
    from tidegate.core.access import Access
    from tidegate.drivers.aws.calls import Calls

Policy = Annotated[bool, typer.Option("--policy", help="Print nothing but the IAM policy of Tidegate's role.")]
EitherFile = Annotated[
    Path, typer.Option("--file", "-f", help="The service file or environment file; - for standard input.", metavar="FILE")
]

aws = typer.Typer(name="aws", help="See what is on AWS, and what Tidegate needs there.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    aws.command()(adopt)
    app.add_typer(aws)


@aws.command()
def plan(*, file: EitherFile, policy: Policy = False, as_json: AsJson = False) -> None:
    """Show what is there, what changes, and the permissions.

    Changes nothing. Exits with 2 when something is missing or wrong, so that a release would be refused.
    """
    from tidegate.cli.aws_views import documents_of, show_document, show_survey  # noqa: PLC0415
    from tidegate.cli.released_file import read_released_file  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415
    from tidegate.drivers.aws.survey import survey  # noqa: PLC0415
    from tidegate.settings import read_settings  # noqa: PLC0415

    shown, released = screen(as_json=as_json), read_released_file(file)
    access = released.access
    asked = caller(access)
    found = survey(released, asked, asked.region)
    documents = documents_of(released, found, read_settings().cloudwatch, _who(access.region) if access.role else "")
    if as_json:
        there = [_as_json(one) for one in found.findings]
        shown.document({"there": there, **{document.key: document.content for document in documents}})
    elif policy:
        show_document(shown, documents[0].content)
    else:
        show_survey(shown, found)
        for document in documents:
            shown.line("")
            shown.line(document.title)
            show_document(shown, document.content)
    if found.wrong:
        raise typer.Exit(2)


def _as_json(finding: object) -> dict[str, str]:
    from dataclasses import asdict  # noqa: PLC0415

    return asdict(finding)  # type: ignore[call-overload,no-any-return]  # a finding of the survey


def _who(region: str) -> str:
    """ARN of whoever types this; "" when STS does not say it."""
    from tidegate.core.access import Access  # noqa: PLC0415
    from tidegate.core.errors import TidegateError  # noqa: PLC0415
    from tidegate.drivers.aws.call import Call  # noqa: PLC0415

    try:
        return str(caller(Access(region)).do(Call("sts", "get_caller_identity"))["Arn"])
    except TidegateError:
        return ""


def caller(access: Access) -> Calls:
    """Raises Refused when boto3 is not there."""
    from tidegate.drivers.aws.cloudwatch import missing_boto3  # noqa: PLC0415

    try:
        from tidegate.drivers.aws.calls import Calls  # noqa: PLC0415
    except ImportError as error:
        raise missing_boto3(error) from error
    return Calls(access)
