# ruff: noqa: PTH110, PTH115, PTH120, T201
# It must start fast, and its output is its purpose.
"""A task for tests: python -I -S server.py PORT [exit | sick | stubborn | forks | obeys | strays | shouts]...

Answers 200, or 503 while the file `sick-PORT` lies in the working directory of its log (RUN, taken from file descriptor 1).
"""

import os
import signal
import socket
import sys
import time

port, words = int(sys.argv[1]), sys.argv[2:]
run_dir = os.path.dirname(os.path.dirname(os.path.dirname(os.readlink("/proc/self/fd/1"))))


def stay() -> None:
    while True:
        time.sleep(60)


if "exit" in words:
    print("first line")
    print("no such table", flush=True)
    sys.exit(3)
if "stubborn" in words:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "forks" in words and os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    stay()
if "obeys" in words and os.fork() == 0:
    signal.signal(signal.SIGTERM, lambda *_: (print("child was told", flush=True), os._exit(0)))
    stay()
if "strays" in words and os.fork() == 0:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    stay()

listening = socket.socket()
listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listening.bind(("127.0.0.1", port))
listening.listen(128)
print("listening on", port, flush=True)
while True:
    user, _ = listening.accept()
    user.recv(65536)
    if "hangs" in words:
        continue
    sick = "sick" in words or os.path.exists(f"{run_dir}/sick-{port}")
    user.sendall(b"HTTP/1.1 %s\r\nConnection: close\r\n\r\n" % (b"503 sick" if sick else b"200 OK"))
    user.close()
