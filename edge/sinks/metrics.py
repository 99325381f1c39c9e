"""`/metrics` for Prometheus, `/healthz` and `/readyz` for a supervisor, by the standard library alone."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from edge.errors import EchoEdgeError
from edge.heart.analysis import Analysis
from edge.heart.regions import region_names
from edge.refine.keyframe import Held
from edge.refine.volumes import PERCENTILES
from edge.sinks.base import Shown
from edge.sinks.jsonl import record_of
from edge.sources.address import family_of, parse_address, shown_host

DEFAULT_PORT = 9108
ALIVE_S = 2.0
"""Without a picture or a banner for this long the loop itself hangs: banners come twice a second."""

FIGURES = (
    ("ef_percent", "ejection_fraction_ratio", "One plane, median over the last beats.", 1e-2),
    ("edv_ml", "end_diastolic_volume_cubic_metres", "One plane, median over the last beats.", 1e-6),
    ("esv_ml", "end_systolic_volume_cubic_metres", "One plane, median over the last beats.", 1e-6),
    ("sv_ml", "stroke_volume_cubic_metres", "One plane, median over the last beats.", 1e-6),
    ("co_l_min", "cardiac_output_cubic_metres_per_second", "One plane, median over the last beats.", 1e-3 / 60),
    ("fac_percent", "fractional_area_change_ratio", "Median over the last beats.", 1e-2),
    ("strain_percent", "longitudinal_contour_strain_ratio", "Median over the last beats.", 1e-2),
    ("mapse_mm", "mitral_annular_excursion_metres", "Median over the last beats.", 1e-3),
    ("lv_length_mm", "end_diastolic_length_metres", "Left ventricular long axis, median over the last beats.", 1e-3),
    ("sphericity", "end_diastolic_sphericity_ratio", "Mid-ventricular diameter by long axis.", 1.0),
    ("la_volume_ml", "left_atrial_volume_cubic_metres", "One plane, at ES, median over the last beats.", 1e-6),
)
"""Key of the record's `heart`, name, help, base units a unit."""
BIPLANE = (
    ("ef_percent", "ejection_fraction_biplane_ratio", "Of two planes.", 1e-2),
    ("edv_ml", "end_diastolic_volume_biplane_cubic_metres", "Of two planes.", 1e-6),
    ("esv_ml", "end_systolic_volume_biplane_cubic_metres", "Of two planes.", 1e-6),
    ("la_volume_ml", "left_atrial_volume_biplane_cubic_metres", "Of two planes, at ES.", 1e-6),
)


class MetricsSink:
    """`metrics://127.0.0.1:9108`. `/healthz` is 200 while the loop draws, `/readyz` while it shows overlays."""

    name = "metrics"

    def __init__(self, uri: str, view: str = "") -> None:
        self._names = region_names(view)
        host, port = parse_address(uri, ()).host_port(DEFAULT_PORT)
        self._pictures = self._withheld = 0
        self._shown: Shown | None = None
        self._at = time.monotonic()
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.wfile.write(self._head())

            def do_HEAD(self) -> None:
                self._head()

            def _head(self) -> bytes:
                """Send status and headers; the body that goes with them."""
                status, body = sink.answer(self.path.partition("?")[0])
                self.send_response(status)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                return body

            def log_message(self, format: str, *args: object) -> None:
                """A probe every few seconds is not worth a line."""

        class Server(ThreadingHTTPServer):
            address_family = family_of(host)

        try:
            self._server = Server((host, port), Handler)
        except OSError as error:
            raise EchoEdgeError(
                f"metrics://{shown_host(host, port)} cannot listen: {error}; is the port in use?"
            ) from error
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
        lines = [line for name, kind, text, value in rows for line in _metric(name, kind, text, {"": value})]
        if shown is not None and shown.analysis is not None and not shown.banner:
            for name, text, values in self._measured(shown.analysis, shown.refined):
                lines += _metric(name, "gauge", text, values)
        return "\n".join(lines) + "\n"

    def _measured(self, analysis: Analysis, refined: Held | None) -> list[tuple[str, str, dict[str, float]]]:
        """(name, help, value by label) of what the newest frame shows, in the base units that Prometheus wants."""
        record = record_of(analysis, 0.0, self._names, refined=refined)
        rows = [
            ("lv_area_square_metres", "Left ventricular area.", record["lv_area_cm2"], 1e-4),
            ("lv_length_metres", "Left ventricular long axis.", record["lv_length_mm"], 1e-3),
            ("lv_volume_cubic_metres", "Left ventricular volume, one plane.", record["lv_volume_ml"], 1e-6),
        ]
        heart: dict[str, Any] = record["heart"] or {}
        both: dict[str, Any] = heart.get("biplane", {})
        rows += [(name, text, heart[key]["median"], unit) for key, name, text, unit in FIGURES if key in heart]
        rows += [(name, text, both[key], unit) for key, name, text, unit in BIPLANE if key in both]
        rows += [
            ("end_diastolic_volume_index_metres", "By body surface.", heart.get("edv_ml_m2"), 1e-6),
            ("end_systolic_volume_index_metres", "By body surface.", heart.get("esv_ml_m2"), 1e-6),
            ("left_atrial_volume_index_metres", "By body surface, at ES.", heart.get("la_volume_ml_m2"), 1e-6),
            ("heart_rate_hertz", "Over the last beats.", heart.get("heart_rate_bpm"), 1 / 60),
            ("beat_age_seconds", "Since the newest beat was finished.", heart.get("age_s"), 1.0),
        ]
        gauges = [(name, text, {"": value * unit}) for name, text, value, unit in rows if value is not None]
        for name, found in (("", heart), ("biplane_", both)):
            interval = found.get("ef_interval90_percent")
            if interval:
                ends = {f'{{end="{end}"}}': value / 100 for end, value in zip(("low", "high"), interval)}
                gauges.append((f"ejection_fraction_{name}interval90_ratio", "Holds EF in 90 of 100 patients.", ends))
        fraction = (record["refined"] or {}).get("ejection_fraction_percent")
        if fraction is not None:
            percentiles = {f'{{percentile="{p}"}}': fraction[n] / 100 for n, p in zip(fraction, PERCENTILES)}
            gauges.append(
                ("ejection_fraction_refined_ratio", "Of the newest refined ED and ES, over samples.", percentiles)
            )
        quality = {f'{{region="{name}"}}': score for name, score in record["quality"].items() if score is not None}
        if quality:
            gauges.append(("region_quality", "Score of a wall region, 1 not visible to 5 excellent.", quality))
        reasons = record["withheld_measurements"] or {}
        withheld = {f'{{measurement="{name}"}}': float(name in reasons) for name in ("area", "volume")}
        gauges.append(("measurement_withheld", "1 while a measurement is withheld.", withheld))
        return gauges

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


def _metric(name: str, kind: str, text: str, values: dict[str, float]) -> list[str]:
    """The lines of one metric; keys are label sets such as `{region="apex"}`, "" for none."""
    samples = [f"echoedge_{name}{labels} {_number(value)}" for labels, value in values.items()]
    return [f"# HELP echoedge_{name} {text}", f"# TYPE echoedge_{name} {kind}", *samples]


def _number(value: float) -> str:
    """Counts in full: a rate is the difference of two of them."""
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.9g}"
