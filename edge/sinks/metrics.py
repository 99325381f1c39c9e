"""`/metrics` for Prometheus, `/healthz` and `/readyz` for a supervisor, by the standard library alone."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

from edge.errors import EchoEdgeError
from edge.sinks.base import Shown
from edge.sources.address import parse_address

DEFAULT_PORT = 9108
ALIVE_S = 2.0
"""Without a picture or a banner for this long the loop itself hangs: banners come twice a second."""


class MetricsSink:
    """`metrics://127.0.0.1:9108`. `/healthz` is 200 while the loop draws, `/readyz` while it shows overlays."""

    name = "metrics"

    def __init__(self, uri: str) -> None:
        host, port = parse_address(uri, ()).host_port(DEFAULT_PORT)
        self._pictures = self._withheld = 0
        self._shown: Shown | None = None
        self._at = time.monotonic()
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = sink.answer(self.path)
                self.send_response(status)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """A probe every few seconds is no news."""

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            raise EchoEdgeError(f"metrics://{host}:{port} cannot listen: {error}; is the port in use?") from error
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def answer(self, path: str) -> tuple[int, bytes]:
        """(HTTP status, body) of a request."""
        if path == "/metrics":
            return 200, self._exposition().encode()
        shown = self._shown
        alive = time.monotonic() - self._at < ALIVE_S
        if path == "/healthz":
            return (200, b"ok\n") if alive else (503, b"the loop draws nothing\n")
        if path == "/readyz":
            ready = alive and shown is not None and not shown.banner
            why = "no picture yet" if shown is None else shown.banner or "the loop draws nothing"
            return (200, b"ok\n") if ready else (503, f"{why}\n".encode())
        return 404, b"ask for /metrics, /healthz or /readyz\n"

    def _exposition(self) -> str:
        shown = self._shown
        rows = [
            ("pictures_total", "counter", "Pictures drawn.", self._pictures),
            ("withheld_total", "counter", "Pictures drawn without overlay.", self._withheld),
            ("overlay", "gauge", "1 while overlays are shown.", int(shown is not None and not shown.banner)),
            ("last_picture_age_seconds", "gauge", "Since the last picture.", time.monotonic() - self._at),
        ]
        if shown is not None:
            head = shown.head
            rows += [
                ("frames_dropped_total", "counter", "Frames dropped before analysis.", head.dropped),
                ("frames_per_second", "gauge", "Analysed frames a second.", head.fps),
                ("frame_age_seconds", "gauge", "Capture to drawing of the newest frame.", head.age_ms / 1000),
            ]
            area_cm2 = shown.analysis.ventricle.area_cm2 if shown.analysis is not None and not shown.banner else None
            if area_cm2 is not None:  # Prometheus wants base units
                rows.append(
                    ("lv_area_square_metres", "gauge", "Left ventricular area of the newest frame.", area_cm2 / 1e4)
                )
        lines = []
        for name, kind, text, value in rows:
            lines += [
                f"# HELP echoedge_{name} {text}",
                f"# TYPE echoedge_{name} {kind}",
                f"echoedge_{name} {value:.6g}",
            ]
        return "\n".join(lines) + "\n"

    def __enter__(self) -> MetricsSink:
        return self

    def write(self, shown: Shown) -> None:
        """Remember the newest picture's figures."""
        self._pictures += 1
        self._withheld += bool(shown.banner) or shown.analysis is None
        self._shown, self._at = shown, time.monotonic()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
