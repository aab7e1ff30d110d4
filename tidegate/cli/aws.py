"""Services on AWS, before Tidegate has them: what is there, what it may do, and taking over one that runs.

These commands ask AWS themselves, with the credentials of whoever types them. No controller is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli.aws_adopt import adopt
from tidegate.cli.options import AsJson, File

if TYPE_CHECKING:
    from tidegate.drivers.aws.call import Caller

Policy = Annotated[bool, typer.Option("--policy", help="Print nothing but the IAM policy.")]

aws = typer.Typer(name="aws", help="See what is on AWS, and what Tidegate needs there.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    aws.command()(adopt)
    app.add_typer(aws)


@aws.command()
def plan(*, file: File, policy: Policy = False, as_json: AsJson = False) -> None:
    """Show what is there, what changes, and the permissions.

    Changes nothing. Exits with 2 when something is missing or wrong, so that a release would be refused.
    """
    from tidegate.cli.aws_views import show_policy, show_survey  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415
    from tidegate.cli.service_file import read_service_file  # noqa: PLC0415
    from tidegate.drivers.aws.policy import policy_of  # noqa: PLC0415
    from tidegate.drivers.aws.survey import survey  # noqa: PLC0415
    from tidegate.settings import read_settings  # noqa: PLC0415

    shown, service = screen(as_json=as_json), read_service_file(file)
    found = survey(service, caller(service.platform.region if service.platform else ""))
    wanted = policy_of(service, found.roles, read_settings().cloudwatch, found.service)
    if as_json:
        shown.document({"there": [_as_json(one) for one in found.findings], "policy": wanted})
    elif not policy:
        show_survey(shown, found)
        shown.line("")
        shown.line("Tidegate's role needs this policy:")
    if not as_json:
        show_policy(shown, wanted)
    if found.wrong:
        raise typer.Exit(2)


def _as_json(finding: object) -> dict[str, str]:
    from dataclasses import asdict  # noqa: PLC0415

    return asdict(finding)  # type: ignore[call-overload,no-any-return]  # a finding of the survey


def caller(region: str) -> Caller:
    """Raises Refused when boto3 is not there."""
    from tidegate.drivers.aws.cloudwatch import missing_boto3  # noqa: PLC0415

    try:
        from tidegate.drivers.aws.calls import Calls  # noqa: PLC0415
    except ImportError as error:
        raise missing_boto3(error) from error
    return Calls(region)
