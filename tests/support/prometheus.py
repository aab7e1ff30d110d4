"""A real Prometheus of our own on a free port of loopback, and pages for it to collect from."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.ports import free_port
from tests.support.postgres import missing
from tests.support.serving import serving, until_answered


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


def page() -> AbstractContextManager[Page]:
    return serving(Page())


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
        until_answered(process, f"http://127.0.0.1:{port}/-/ready", log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()  # it keeps nothing that somebody wants
        process.wait()
