"""AWS as others wrote it: moto (load balancers, CloudWatch, IAM) and ministack (ECS, AppConfig), on free ports of loopback.

Each in a process of its own, from `.venv-emulators`, which `make setup-test` makes: they want another boto3 than ours. Neither
is Amazon's: what each of them does rightly, and what not, is in docs/aws.md.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import free_port
from tests.support.postgres import missing
from tests.support.serving import until_answered

PROGRAMS = Path(__file__).parent.parent.parent / ".venv-emulators" / "bin"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@contextmanager
def moto(directory: Path) -> Iterator[str]:
    """Its URL."""
    port = free_port()
    with running([str(PROGRAMS / "moto_server"), "-H", "127.0.0.1", "-p", str(port)], {}, port, directory / "moto.log") as url:
        yield url


@contextmanager
def ministack(directory: Path, docker_host: str = "unix:///nowhere") -> Iterator[str]:
    """Its URL. Without a Docker engine its tasks are records: RUNNING, with no container."""
    port = free_port()
    env = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "DOCKER_HOST": docker_host, "HOME": str(directory)}
    env |= {"IOT_MTLS_ENABLED": "0"}  # it would listen for everybody
    with running([str(PROGRAMS / "ministack")], env, port, directory / "ministack.log") as url:
        yield url


@contextmanager
def running(command: list[str], env: Mapping[str, str], port: int, log: Path) -> Iterator[str]:
    if not Path(command[0]).exists():
        missing(f"{Path(command[0]).name} is not installed (make setup-test)")
    with log.open("wb") as out:
        process = subprocess.Popen(command, env={**os.environ, **KEYS, **env}, stdout=out, stderr=out)
    try:
        until_answered(process, f"http://127.0.0.1:{port}/", log, refused=True)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()  # it keeps nothing that somebody wants
        process.wait()
