"""Taking over an ECS service that runs: every change is shown before it is made, and the service file is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate.cli.asking import can_ask
from tidegate.cli.options import AsJson

if TYPE_CHECKING:
    from tidegate.core.service import Service
    from tidegate.drivers.aws.adopt import Found

Name = Annotated[str, typer.Argument(metavar="SERVICE", help="Name of the ECS service, which runs behind a rule of an ALB.")]
Cluster = Annotated[str, typer.Option("--cluster", metavar="NAME", help="Its ECS cluster.")]
Other = Annotated[
    str | None,
    typer.Option("--other", metavar="NAME", help="The second ECS service, there or to be made; by default SERVICE-tidegate."),
]
Rule = Annotated[str, typer.Option("--rule", metavar="ARN", help="The listener rule, where several forward to it.")]
Version = Annotated[
    str | None,
    typer.Option("--version", metavar="VERSION", help="What to call the version that runs; by default as its revision, r7."),
]
Region = Annotated[str, typer.Option("--region", metavar="REGION", help="AWS region; by default the one that boto3 finds.")]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Where the service file is written; by default SERVICE.yaml."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Make the changes, without asking.")]


def adopt(
    *,
    service: Name,
    cluster: Cluster,
    other: Other = None,
    rule: Rule = "",
    version: Version = None,
    region: Region = "",
    output: Output = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Take over an ECS service behind an ALB rule.

    Shows every change first. Without --yes it asks; where nobody can be asked, it only shows. Exits with 2 when it cannot be
    taken over.
    """
    from tidegate.cli.aws import caller  # noqa: PLC0415
    from tidegate.cli.screen import screen  # noqa: PLC0415
    from tidegate.core.access import Access  # noqa: PLC0415
    from tidegate.core.errors import Refused, Unreachable  # noqa: PLC0415
    from tidegate.drivers.aws.adopt import find, steps, take  # noqa: PLC0415
    from tidegate.drivers.aws.alb_requests import digest_of  # noqa: PLC0415

    shown, aws, second = screen(as_json=as_json), caller(Access(region)), other or f"{service}-tidegate"
    region, output = aws.region, output or Path(f"{service}.yaml")
    if output.exists() and (yes or can_ask(shown)):
        raise Refused(f"There is a file {output} already.", "Move it, or name another one with --output.")
    found = find(aws, cluster, service, second, rule)
    name = version or found.version or f"r{found.revision.rpartition(':')[2]}"
    digest = digest_of(file_of(found, service, second, region))
    planned = list(steps(found, service=service, version=name, other=second, digest=digest))
    said = [step.said for step in planned]
    if not as_json:
        _say_steps(shown, service, said)
    elif not yes:
        shown.document({"steps": said, "version": name, "made": False})
    if not (yes or (planned and _agrees(shown))):
        return
    for step in planned:
        try:
            found = take(aws, found, step, second)
        except Unreachable as error:
            raise Unreachable(error.what, "What was made so far is used: type it again.") from error
    file = file_of(found, service, second, region)
    output.write_text(_as_yaml(file, name, output))
    if as_json:
        shown.document({"steps": said, "version": name, "made": True})
        return
    shown.line(f"{output} is the service file: look it over. Nothing has moved, {name} serves everybody.")
    shown.line(f"What Tidegate may need there: tidegate aws plan -f {output}")
    shown.line(f"Let Tidegate have it: tidegate deploy -f {output} --version {name}")


def _agrees(shown: Any) -> bool:
    if can_ask(shown):
        return typer.confirm("Make these changes?")
    if not shown.json:
        shown.line("Nothing was changed. To make these changes: --yes.")
    return False


def _say_steps(shown: Any, service: str, planned: list[str]) -> None:
    if not planned:
        shown.line(f"{service} has all that it needs. To write its service file: --yes.")
    for number, said in enumerate(planned, 1):
        shown.line(f"{number}. {said}")


def file_of(found: Found, name: str, other: str, region: str) -> Service:
    """The service file of what was found. Before the second side is there its names are those that it will have."""
    from tidegate.core.service import Service  # noqa: PLC0415

    mine = str(found.group["TargetGroupArn"])
    ecs = {
        "cluster": found.cluster,
        "services": [name, other],
        "target_groups": [mine, str(found.other_group.get("TargetGroupArn", f"{mine}-"))],
        "listener_rule": str(found.rule["RuleArn"]),
        "region": region,
    }
    tasks = {
        "ecs": {"task_definition": found.revision, "images": {found.container: found.image}},
        "count": max(1, int(found.service.get("desiredCount", 1))),
    }
    return Service.model_validate({"service": name, "platform": {"ecs": ecs}, "tasks": tasks, "plan": PLAN})


PLAN = {"canary": {"first": "10%", "hold": "10m"}, "bake": "10m", "keep_baseline": "15m"}
HEAD = """\
# {service} on Amazon ECS; {version} runs. For the next version give it another image and say: tidegate deploy -f {output}
"""
FOOT = """\
# Alarms of CloudWatch that take a release back. Name yours, and remove the #.
# alarms:
#   - {name: errors, cloudwatch: NAME, missing: not_breaching}
"""


def _as_yaml(file: Service, version: str, output: Path) -> str:
    import yaml  # noqa: PLC0415

    content = file.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    kept = {key: content[key] for key in ("service", "platform", "tasks") if key in content}
    written = yaml.safe_dump(kept | {"plan": PLAN}, sort_keys=False, width=120)
    return f"{HEAD.format(service=file.service, version=version, output=output)}{written}{FOOT}"
