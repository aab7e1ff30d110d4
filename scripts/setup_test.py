"""Installs what tests and benchmarks use and pip does not have. As root by apt; else it says what is missing.

Missing tools are a skip on a laptop and a failure on CI (the tests see to that).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

# program -> Debian package
WANTED = {"wrk": "wrk", "openssl": "openssl", "curl": "curl", "chromium": "chromium", "prometheus": "prometheus"}
WANTED |= {"dockerd": "docker.io", "docker-registry": "docker-registry", "busybox": "busybox-static"}
SBIN = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"  # where dockerd is, and not on everybody's PATH
POSTGRES = "postgresql"


ROOT = Path(__file__).parent.parent
EMULATORS = ROOT / ".venv-emulators"
"""moto and ministack, which want another boto3 than ours."""
WANTED_EMULATORS = ROOT / "tests" / "drivers" / "aws" / "emulators.lock"
LOCALEMU = ROOT / ".venv-localemu"
"""localemu, which wants another boto3 again, and a newer Python than Tidegate does."""
WANTED_LOCALEMU = ROOT / "tests" / "drivers" / "aws" / "localemu.lock"
NEWER = ("3.13", "3.12", "3.14")
"""Pythons that localemu starts with; the one that it was tried with longest first."""
NO_PYTHON = f"localemu wants a Python of {', '.join(sorted(NEWER))}, and none was found"
WORK_OUT = "from localemu import config; config.dirs.mkdirs(); from localemu.aws.spec import *; get_service_catalog()"
"""What localemu knows of AWS takes it ten seconds to work out, at its first start."""


def main() -> int:
    codes = [install_programs(), install_emulators(), install_localemu()]
    return max(codes)


def install_emulators() -> int:
    return 0 if installed(sys.executable, EMULATORS, WANTED_EMULATORS) else failed("moto, ministack")


def install_localemu() -> int:
    python = newer_python()
    if python is None:
        print(f"{NO_PYTHON} (tests that need it are skipped)", file=sys.stderr)
        return 0
    # The lock is whole, but for what it leaves out on purpose: nothing else may come.
    if not installed(python, LOCALEMU, WANTED_LOCALEMU, "--no-deps", "--no-compile"):
        return failed("localemu")
    env = dict(os.environ, FILESYSTEM_ROOT=str(LOCALEMU / "known"), OVERRIDE_IN_DOCKER="0")
    if not (LOCALEMU / "known").exists():
        subprocess.run([str(LOCALEMU / "bin" / "python"), "-c", WORK_OUT], check=False, env=env)
    return 0


def installed(python: str, place: Path, wanted: Path, *options: str) -> bool:
    """Whether what is wanted is in a virtual environment of its own; again when something else is wanted."""
    mark = place / ".installed"
    if mark.exists() and mark.read_text() == wanted.read_text():
        return True
    if subprocess.run([python, "-m", "venv", str(place)], check=False).returncode:
        return False
    pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *options]
    if subprocess.run([*pip, "--require-hashes", "-r", str(wanted)], check=False).returncode:
        return False
    mark.write_text(wanted.read_text())
    return True


def failed(what: str) -> int:
    print(f"Missing (tests that need them are skipped): {what}", file=sys.stderr)
    return 1 if os.environ.get("CI") else 0


def newer_python() -> str | None:
    """On PATH, or among the versions that pyenv installed. Each is asked: what pyenv puts on PATH need not run."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for version in NEWER:
        on_path = shutil.which(f"python{version}")
        for python in [*([on_path] if on_path else []), *sorted(map(str, pyenv.glob(f"{version}.*/bin/python")), reverse=True)]:
            said = "import ensurepip, sys, venv; print(sys.executable, '%d.%d' % sys.version_info[:2])"
            asked = subprocess.run([python, "-c", said], check=False, capture_output=True, text=True)
            if asked.returncode == 0 and asked.stdout.split()[-1] == version:
                return asked.stdout.rpartition(" ")[0]
    return None


def is_there(program: str) -> bool:
    """busybox goes into images that have no libraries."""
    path = shutil.which(program, path=SBIN)
    return path is not None and not (program == "busybox" and is_linked(path))


def is_linked(path: str) -> bool:
    return subprocess.run(["ldd", path], check=False, capture_output=True).returncode == 0


def install_programs() -> int:
    missing = [package for program, package in WANTED.items() if not is_there(program)]
    if not shutil.which("initdb") and not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        missing.append(POSTGRES)
    if not missing:
        return 0
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        print(f"Missing (tests that need them are skipped): {', '.join(missing)}", file=sys.stderr)
        return 0
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    subprocess.run(["apt-get", "update", "-qq"], check=False, env=env)
    install = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *missing]
    done = subprocess.run(install, check=False, env=env, stdout=subprocess.DEVNULL)
    if done.returncode:
        print(f"apt-get could not install {', '.join(missing)}.", file=sys.stderr)
    return 1 if done.returncode and os.environ.get("CI") else 0


if __name__ == "__main__":
    sys.exit(main())
