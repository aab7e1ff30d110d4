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


def main() -> int:
    code = install_programs()
    return install_emulators() or code


def install_emulators() -> int:
    """Emulators of AWS, into a place of their own; again when other versions of them are wanted."""
    mark = EMULATORS / ".installed"
    if mark.exists() and mark.read_text() == WANTED_EMULATORS.read_text():
        return 0
    pip = [str(EMULATORS / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    made = subprocess.run([sys.executable, "-m", "venv", str(EMULATORS)], check=False).returncode
    if made or subprocess.run([*pip, "--require-hashes", "-r", str(WANTED_EMULATORS)], check=False).returncode:
        print("Missing (tests that need them are skipped): moto, ministack", file=sys.stderr)
        return 1 if os.environ.get("CI") else 0
    mark.write_text(WANTED_EMULATORS.read_text())
    return 0


def install_programs() -> int:
    missing = [package for program, package in WANTED.items() if not shutil.which(program, path=SBIN)]
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
