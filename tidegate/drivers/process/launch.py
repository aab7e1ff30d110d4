"""Sets limits and user in the new process itself, then becomes the command. Run as a script, with nothing of ours imported:

    python -I -S launch.py '{"limits": [["RLIMIT_NOFILE", 64]], "user": ["www", 33, 33], ...}' COMMAND ARGUMENT ...

The limits come first, for they may be raised only by root. A controller with threads may run no code between fork and
exec, therefore this file. What it says goes where the command's output goes.
"""

import json
import os
import resource
import signal
import sys
import warnings  # noqa: F401 - os.execvpe wants it, when another user may be barred from reading it

FAILED = 126


def main(order: dict, command: list[str]) -> None:  # type: ignore[type-arg]
    for name, value in order["limits"]:
        try:
            resource.setrlimit(getattr(resource, name), (value, value))
        except (OSError, ValueError) as error:
            sys.exit(f"{name} could not be set to {value}: {error}")
    if order["user"] is not None:
        user, uid, gid = order["user"]
        os.initgroups(user, gid)
        os.setgid(gid)
        os.setuid(uid)
    if order["directory"] is not None:
        os.chdir(order["directory"])
    # Python ignores these and may set LC_CTYPE; the command shall find neither.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    if command:
        os.execvpe(command[0], command, {name: os.environ[name] for name in order["environment"]})


if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]), sys.argv[2:])
    except SystemExit as said:
        print(said.code, file=sys.stderr)  # noqa: T201 - its standard error is the task's log
        sys.exit(FAILED)
    except OSError as error:
        print(f"{' '.join(sys.argv[2:3])}: {error.strerror}", file=sys.stderr)  # noqa: T201
        sys.exit(FAILED)
