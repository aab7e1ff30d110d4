"""AWS as others wrote it, once more: localemu (load balancers that look at their targets, alarms that follow from data), on a
free port of loopback.

In a process of its own, from `.venv-localemu`, which `make setup-test` makes where there is a Python that it starts with. What
it does otherwise than AWS is in docs/aws.md.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import boto3
import psutil
import pytest

from scripts.setup_test import LOCALEMU, NO_PYTHON, newer_python
from tests.support.emulators import KEYS
from tests.support.ports import free_port
from tests.support.postgres import missing
from tests.support.serving import until_answered

START = Path(__file__).with_name("start_localemu.py")


def is_there() -> bool:
    return (LOCALEMU / ".installed").exists()


@contextmanager
def localemu(directory: Path) -> Iterator[str]:
    """Its URL. Without a Python that it starts with: a skip, also on CI."""
    if not is_there():
        if newer_python() is None:
            pytest.skip(NO_PYTHON)
        missing("localemu is not installed (make setup-test)")
    port, log = free_port(), directory / "localemu.log"
    if (LOCALEMU / "known").exists():  # else it works it out
        shutil.copytree(LOCALEMU / "known", directory / "files", symlinks=True)
    with log.open("wb") as out:
        command = [str(LOCALEMU / "bin" / "python"), "-P", str(START)]  # nothing that lies beside it
        env = {**os.environ, **_settings(directory, port)}
        process = subprocess.Popen(command, env=env, cwd=directory, stdout=out, stderr=out)
    try:
        url = f"http://127.0.0.1:{port}"
        until_answered(process, url, log, refused=True, within=100)
        _wake(url)
        yield url
        assert heard_at(process.pid) == {"127.0.0.1"}
    finally:
        _end(process)


def _settings(directory: Path, port: int) -> dict[str, str]:
    return KEYS | {
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "GATEWAY_SERVER": "hypercorn",  # the usual one listens for everybody, whatever GATEWAY_LISTEN says
        "SERVICES": "cloudwatch,ec2,elbv2",
        "STRICT_SERVICE_LOADING": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DISABLE_EVENTS": "1",
        "DOCKER_HOST": "unix:///nowhere",
        "OVERRIDE_IN_DOCKER": "0",  # else it may write to /var/lib
        "FILESYSTEM_ROOT": str(directory / "files"),
        "HOME": str(directory),
        "TMPDIR": str(directory),
    }


def _wake(url: str) -> None:
    """A service is loaded when somebody asks for it, which takes longer than Tidegate waits for an answer."""
    session = boto3.session.Session("test", "test", region_name="us-east-1")
    session.client("elbv2", endpoint_url=url).describe_load_balancers()
    session.client("cloudwatch", endpoint_url=url).describe_alarms()


def _end(process: subprocess.Popen[bytes]) -> None:
    """With whatever it started; it keeps nothing that somebody wants."""
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.kill()
    process.kill()
    process.wait()


def heard_at(pid: int) -> set[str]:
    """The addresses where it and its children listen."""
    process = psutil.Process(pid)
    found: set[str] = set()
    for one in (process, *process.children(recursive=True)):
        try:
            connections = one.net_connections("tcp")
        except psutil.NoSuchProcess:
            continue
        found |= {str(connection.laddr.ip) for connection in connections if connection.status == psutil.CONN_LISTEN}
    return found
