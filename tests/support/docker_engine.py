"""A Docker engine of our own and a registry beside it, both on loopback only, with small images that are made here.

The engine has no bridge and touches no firewall: its containers use the network of the host. It is found by its socket in
the directory that it was given, and ends with whoever started it, with all of its containers.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.ports import free_port
from tests.support.postgres import missing
from tests.support.serving import until_answered

PROGRAMS = ("dockerd", "docker-registry", "docker", "setpriv", "busybox")
_NO_NETWORK = ("--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false")
_SBIN = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


@dataclass(frozen=True)
class Docker:
    host: str
    """As in DOCKER_HOST."""
    registry: str
    """Its address; images are named after it."""

    def run(self, *arguments: str, stdin: bytes = b"") -> str:
        done = subprocess.run(
            [_path("docker"), *arguments], input=stdin, capture_output=True, check=False, timeout=60, env=self._env()
        )
        if done.returncode:
            raise AssertionError(f"docker {' '.join(arguments)}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode()

    def publish(self, image: str, files: Mapping[str, str], command: str) -> None:
        """Makes an image of busybox and these files, gives it to the registry, and forgets it: who runs it has to pull it."""
        change = f'CMD ["/bin/sh", "-c", {_quoted(command)}]'
        self.run("import", "--change", change, "-", image, stdin=_layer(files))
        self.run("push", "--quiet", image)
        self.run("image", "rm", image)

    def running(self, label: str) -> list[str]:
        """This label of the containers that run."""
        return sorted(self.run("ps", "--format", f'{{{{.Label "{label}"}}}}').split())

    def _env(self) -> dict[str, str]:
        return {"PATH": _SBIN, "DOCKER_HOST": self.host, "HOME": "/nonexistent"}


@contextmanager
def docker(directory: Path) -> Iterator[Docker]:
    if absent := [program for program in PROGRAMS if not _path(program)]:
        missing(f"no Docker engine: {', '.join(absent)} not installed (make setup-test)")
    if os.geteuid() != 0:
        missing("no Docker engine: one of our own needs root")
    with _engine(directory) as host, _registry(directory) as registry:
        yield Docker(host, registry)


def _path(program: str) -> str:
    return shutil.which(program, path=_SBIN) or ""


@contextmanager
def _engine(directory: Path) -> Iterator[str]:
    host, log = f"unix://{directory}/docker.sock", directory / "dockerd.log"
    roots = [f"--data-root={directory}/data", f"--exec-root={directory}/exec", f"--pidfile={directory}/dockerd.pid"]
    try:
        with _ending([_path("dockerd"), "--host", host, *roots, *_NO_NETWORK], log) as process:
            _until_it_answers(process, host, log)
            yield host
    finally:
        _unmount(directory)


def _unmount(directory: Path) -> None:
    """An engine that ended leaves the mount of its network, and nobody could remove the directory."""
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for place in reversed([place for place in mounted if Path(place).is_relative_to(directory)]):
        subprocess.run(["umount", "--lazy", place], check=False, timeout=30)


def _until_it_answers(process: subprocess.Popen[bytes], host: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        asked = [_path("docker"), "--host", host, "version", "--format", "{{.Server.Version}}"]
        if subprocess.run(asked, capture_output=True, check=False, timeout=30).returncode == 0:
            return
        time.sleep(0.1)
    missing(f"no Docker engine can run here: {log.read_text(errors='replace')[-500:]}")


@contextmanager
def _registry(directory: Path) -> Iterator[str]:
    address = f"127.0.0.1:{free_port()}"
    config = directory / "registry.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
        f"storage: {{filesystem: {{rootdirectory: {directory}/registry}}}}\nhttp: {{addr: '{address}'}}\n"
    )
    log = directory / "registry.log"
    with _ending([_path("docker-registry"), "serve", str(config)], log) as process:
        until_answered(process, f"http://{address}/v2/", log)
        yield address


@contextmanager
def _ending(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with this one, however that ends."""
    env = {**os.environ, "PATH": _SBIN}
    with log.open("wb") as out:
        process = subprocess.Popen([_path("setpriv"), "--pdeathsig", "TERM", *command], env=env, stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _layer(files: Mapping[str, str]) -> bytes:
    """A file system: busybox as the shell, and these files, which may be run."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for folder in sorted({"bin", *(str(parent) for name in files for parent in Path(name).parents if str(parent) != ".")}):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        contents = {"bin/busybox": Path(_path("busybox")).read_bytes()}
        contents |= {name: text.encode() for name, text in files.items()}
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
        shell = tarfile.TarInfo("bin/sh")
        shell.type, shell.linkname = tarfile.SYMTYPE, "busybox"
        tar.addfile(shell)
    return out.getvalue()


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
