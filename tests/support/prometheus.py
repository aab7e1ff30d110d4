"""A real Prometheus of our own on a free port of loopback, and pages for it to collect from."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.ports import free_port
from tests.support.postgres import missing


class Page(ThreadingHTTPServer):
    """Shows `text` to whoever collects it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.text = ""

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Page

    def do_GET(self) -> None:
        body = self.server.text.encode()
        self.send_response(200)
        self.send_header("content-type", "text/plain; version=0.0.4")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def page() -> Iterator[Page]:
    with Page() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def running(directory: Path, targets: dict[str, str], *, path: str = "/metrics") -> Iterator[str]:
    """Its URL. It collects once a second from these targets, by job. Without the program: a skip, and on CI a failure."""
    program = shutil.which("prometheus")
    if program is None:
        missing("Prometheus is not installed (make setup-test)")
        return
    jobs = [
        f"  - {{job_name: {job}, metrics_path: '{path}', static_configs: [{{targets: ['{target}']}}]}}"
        for job, target in targets.items()
    ]
    config = directory / "prometheus.yml"
    config.write_text("global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n" + "\n".join(jobs) + "\n")
    port, log = free_port(), directory / "prometheus.log"
    command = [program, f"--config.file={config}", f"--storage.tsdb.path={directory / 'data'}"]
    with log.open("ab") as out:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=out, stderr=out)
    try:
        _wait(process, f"http://127.0.0.1:{port}/-/ready", log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()  # it keeps nothing that somebody wants
        process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
            continue
        return
    raise AssertionError(f"{url} does not answer: {log.read_text(errors='replace')[-500:]}")
