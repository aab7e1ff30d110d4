"""Makes the virtual environment. Debian's python3 may lack ensurepip: then python3-venv is installed (as root), or said."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path


def main() -> int:
    if sys.version_info < (3, 11):
        print(
            f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}. Try: make PYTHON=python3.12 ...",
            file=sys.stderr,
        )
        return 1
    venv = Path(sys.argv[1])
    if (venv / "bin" / "python").exists():
        return 0
    if make(venv):
        return 0
    shutil.rmtree(venv, ignore_errors=True)
    if os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        subprocess.run(["apt-get", "install", "-qq", "-y", "python3-venv"], check=False)
        if make(venv):
            return 0
    print("This Python cannot make virtual environments. On Debian: apt-get install python3-venv", file=sys.stderr)
    return 1


def make(venv: Path) -> bool:
    return subprocess.run([sys.executable, "-m", "venv", str(venv)], check=False, capture_output=True).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
