"""Starts OpenBao and the provider, runs tests/conformance against the socket, and does what the
tests ask.

usage: python -m rig.conformance --report FILE [--filter EXPRESSION]
"""

import argparse
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from .openbao import OpenBao
from .provider import WORKER, Provider
from .tenant import Tenant
from .tools import REPOSITORY, RigError, fetched
from .workspace import Workspace

MODULE = REPOSITORY / "tests" / "conformance"
GO_TEST_LIMIT = "20m"


class ConformanceSetup:
    """What the Go tests talk to, and what they may ask for over HTTP."""

    def __init__(self, workspace: Workspace):
        self.openbao = OpenBao(workspace).start()
        self.provider = Provider(workspace, Tenant(self.openbao))
        self.provider.install_policy()
        self.provider.start_healthy()
        self.actions = {
            "openbao/down": self.openbao.kill,
            "openbao/up": self.openbao.start,
            "workers/kill": self.kill_workers,
            "provider/restart": self.restart_provider,
            "transit-calls/encrypt": lambda: self.provider.tenant.transit_requests("encrypt"),
            "transit-calls/decrypt": lambda: self.provider.tenant.transit_requests("decrypt"),
        }

    def kill_workers(self) -> None:
        """kill -9 of every worker at once."""
        workers = [process for process in self.provider.processes() if process.name == WORKER]
        if not workers:
            raise RigError("the provider has no worker")
        for worker in workers:
            os.kill(worker.pid, signal.SIGKILL)

    def restart_provider(self) -> None:
        """Stops the provider in good order and starts it again."""
        self.provider.stop()
        self.provider.start()


class _Control(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        """Runs the action that the path names; the answer is its result as text."""
        action = self.server.setup.actions.get(self.path.strip("/"))
        try:
            status, text = (404, "unknown action") if action is None else (200, action())
        except Exception as error:  # told to the Go test, which fails with this text
            status, text = 500, repr(error)
        body = str(text).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def go_environment() -> dict:
    """The settings of tests/lab/fetch, so that both share one module and build cache."""
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "bao-kms-provider"
    return {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOMODCACHE": str(home / "go-mod"),
        "GOCACHE": str(home / "go-build"),
        "GOFLAGS": "-mod=readonly -modcacherw -buildvcs=false -trimpath",
    }


def show_and_record(stream, report: Path) -> None:
    """Shows the readable part of go test -json and keeps all of it."""
    with open(report, "w", encoding="utf-8") as record:
        for line in stream:
            if not line.startswith("{"):
                print(line, end="", flush=True)  # the compiler speaks no JSON
                continue
            record.write(line)
            event = json.loads(line)
            if event["Action"] in ("output", "build-output"):
                print(event["Output"], end="", flush=True)


def run_go_tests(setup: ConformanceSetup, report: Path, expression: str) -> int:
    """Runs go test while the control server serves in this, the main, thread; returns its exit
    status.
    """
    server = http.server.HTTPServer(("127.0.0.1", 0), _Control)
    server.setup = setup
    environment = {
        **go_environment(),
        "BAOKMS_SOCKET": str(setup.provider.socket_path),
        "BAOKMS_PROVIDER_NAME": setup.provider.config["transit"]["keyIdScope"]["providerName"],
        "BAOKMS_CONTROL": f"http://127.0.0.1:{server.server_address[1]}",
    }
    command = [fetched("go"), "test", "-json", "-count=1", f"-timeout={GO_TEST_LIMIT}"]
    command += ["-run", expression] if expression else []
    tests = subprocess.Popen(
        [*command, "./..."],
        cwd=MODULE,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )

    def follow():
        show_and_record(tests.stdout, report)
        tests.wait()
        server.shutdown()

    threading.Thread(target=follow, daemon=True).start()
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    return tests.wait()


def main() -> int:
    """Returns go test's exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--filter", default="")
    options = parser.parse_args()
    workspace = Workspace("conformance")
    try:
        status = run_go_tests(ConformanceSetup(workspace), options.report, options.filter)
        if status != 0:
            print(workspace.log_tails())
        return status
    finally:
        workspace.close()


if __name__ == "__main__":
    sys.exit(main())
