"""`echoedge bench loadgen`: MLPerf's own load generator drives one network; its logs are kept beside the summary.

Scenarios and percentiles are MLPerf Inference's: SingleStream reports p90, MultiStream (8 samples a query) p99, Offline
samples per second, Server the rate that keeps p99 within a limit. Preprocessing is done before, as MLPerf allows.
"""

from __future__ import annotations

import argparse
import json
import queue
import sys
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.markup import escape
from rich.table import Table

from edge.bench.clip import default_clip
from edge.bench.machine import machine_facts
from edge.bench.monitor import Monitor
from edge.bench.validity import problems
from edge.errors import EchoEdgeError, MissingExtraError
from edge.nets.model import QualityScorer, Segmenter, open_model
from edge.options import add_backend, add_precision
from edge.screen.sector import find_sector
from edge.sources import open_source
from edge.terminal import terminal

SCENARIOS = ("SingleStream", "MultiStream", "Offline", "Server")
OFFICIAL_S = 600.0
STREAMS = 8
SERVER_SHARE = 0.6
"""Where no rate is given, the server scenario asks for this share of what Offline reached."""
Inputs = Sequence[NDArray[np.uint8]]


@dataclass(frozen=True)
class Load:
    """One test: `mode` "performance" or "accuracy", its least duration, for Server the limit of p99.

    `qps` is Server's rate and, of Offline, the rate to expect, from which LoadGen makes its one query.
    """

    scenario: str
    seconds: float
    mode: str = "performance"
    qps: float = 10.0
    limit_ms: float = 100 / 3


@dataclass(frozen=True)
class Finding:
    """What LoadGen says: VALID or INVALID with its reasons, its headline for the scenario, all its result figures."""

    scenario: str
    verdict: str
    headline: str
    value: float
    figures: dict[str, float] = field(default_factory=dict)


HEADLINES = {
    "SingleStream": ("p90 ms", "result_90.00_percentile_latency_ns", 1e-6),
    "MultiStream": ("p99 ms a query of 8", "result_99.00_percentile_per_query_latency_ns", 1e-6),
    "Offline": ("samples a second", "result_samples_per_second", 1.0),
    "Server": ("samples a second completed", "result_completed_samples_per_sec", 1.0),
}
"""Scenario -> (what is reported, the key of LoadGen's detail log, its scale)."""


def run_test(net: Segmenter | QualityScorer, inputs: Inputs, load: Load, folder: Path) -> Finding:
    """Let LoadGen drive a network over prepared inputs (each 1 x 1 x size x size uint8); its logs go to `folder`.

    In accuracy mode every input is asked once and the network's outputs stand in mlperf_log_accuracy.json, see
    `outputs_in`. Raises MissingExtraError without mlcommons-loadgen.
    """
    try:
        import mlperf_loadgen as lg
    except ModuleNotFoundError as error:
        raise MissingExtraError("LoadGen", "loadgen") from error
    folder.mkdir(parents=True, exist_ok=True)
    keep_outputs = load.mode == "accuracy"

    def answer(samples: Sequence[Any]) -> None:
        for sample in samples:
            net.input[:] = inputs[sample.index]
            found = net.infer()
            packed = np.frombuffer(
                zlib.compress(np.ascontiguousarray(found).tobytes(), 1) if keep_outputs else b"\0", np.uint8
            )
            lg.QuerySamplesComplete([lg.QuerySampleResponse(sample.id, packed.ctypes.data, packed.nbytes)])

    sut_answer, stop = _on_thread(answer) if load.scenario == "Server" else (answer, lambda: None)
    sut = lg.ConstructSUT(sut_answer, lambda: None)
    library = lg.ConstructQSL(len(inputs), len(inputs), lambda _: None, lambda _: None)
    log = lg.LogSettings()
    log.log_output.outdir = str(folder)
    log.log_output.copy_summary_to_stdout = False
    try:
        lg.StartTestWithLogSettings(sut, library, _settings(lg, load), log)
    finally:
        stop()
        lg.DestroyQSL(library)
        lg.DestroySUT(sut)
    return read_log(folder, load)


def _settings(lg: Any, load: Load) -> Any:
    settings = lg.TestSettings()
    settings.scenario = getattr(lg.TestScenario, load.scenario)
    settings.mode = lg.TestMode.AccuracyOnly if load.mode == "accuracy" else lg.TestMode.PerformanceOnly
    settings.min_duration_ms = int(load.seconds * 1000)
    settings.min_query_count = 1 if load.scenario == "Offline" else 100
    settings.single_stream_target_latency_percentile = 0.9
    settings.multi_stream_target_latency_percentile = 0.99
    settings.multi_stream_samples_per_query = STREAMS
    settings.offline_expected_qps = load.qps
    settings.server_target_qps = load.qps
    settings.server_target_latency_ns = int(load.limit_ms * 1e6)
    settings.server_target_latency_percentile = 0.99
    return settings


def _on_thread(answer: Callable[[Sequence[Any]], None]) -> tuple[Callable[[Sequence[Any]], None], Callable[[], None]]:
    """Queries of a server come when they are due, whether the one before is done or not: they wait in a queue."""
    waiting: queue.SimpleQueue[Sequence[Any] | None] = queue.SimpleQueue()

    def run() -> None:
        while (samples := waiting.get()) is not None:
            answer(samples)

    thread = threading.Thread(target=run, name="server", daemon=True)
    thread.start()

    def stop() -> None:
        waiting.put(None)
        thread.join()

    return waiting.put, stop


def read_log(folder: Path, load: Load) -> Finding:
    """Take verdict and figures from LoadGen's detail log. Raises EchoEdgeError where it wrote none."""
    figures: dict[str, float] = {}
    verdict, reasons = "", []
    path = folder / "mlperf_log_detail.txt"
    try:
        text = path.read_text()
    except OSError as error:
        raise EchoEdgeError(f"LoadGen did not write {path}: {error.strerror}") from error
    for line in text.splitlines():
        if not line.startswith(":::MLLOG "):
            continue
        entry = json.loads(line.removeprefix(":::MLLOG "))
        key, value = entry.get("key", ""), entry.get("value")
        if key == "result_validity":
            verdict = str(value)
        elif key.startswith("result_invalid_reason"):
            reasons.append(str(value))
        elif key.startswith(("result_", "early_stopping_")) and isinstance(value, int | float):
            figures[key] = float(value)
    if load.mode == "accuracy":
        return Finding(load.scenario, "accuracy log written", "samples", float(len(outputs_in(folder))), figures)
    what, key, scale = HEADLINES[load.scenario]
    return Finding(load.scenario, " ".join([verdict, *reasons]), what, figures.get(key, float("nan")) * scale, figures)


def outputs_in(folder: Path) -> dict[int, bytes]:
    """Input's index -> the network's raw output, from the accuracy log."""
    entries = json.loads((folder / "mlperf_log_accuracy.json").read_text())
    return {entry["qsl_idx"]: zlib.decompress(bytes.fromhex(entry["data"])) for entry in entries}


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge bench loadgen",
        description="One network under MLPerf's LoadGen (pip install 'echoedge[loadgen]'). MLPerf asks for 600 s; a "
        "shorter run is marked as such. Accuracy mode on CAMUS: benchmarks/loadgen.py. Not an MLPerf submission.",
        epilog="example: echoedge bench loadgen --model models/pspnet-mk --seconds 600 --out loadgen",
    )
    p.add_argument("--model", default="pspnet-mk", help="model folder")
    add_precision(p)
    add_backend(p)
    p.add_argument("--threads", type=int, default=0, help="threads the network may use (default: all cores)")
    p.add_argument("--scenario", action="append", choices=SCENARIOS, help="repeatable (default: all four)")
    p.add_argument("--source", default="", help="where the frames come from (default: a synthetic 1280x720 screen)")
    p.add_argument("--seconds", type=float, default=60, help="least duration of a scenario (MLPerf: 600)")
    p.add_argument(
        "--qps", type=float, default=0, help=f"Server's rate (default: {SERVER_SHARE} of what Offline reaches)"
    )
    p.add_argument(
        "--limit-ms", type=float, default=100 / 3, help="Server's limit of p99 (default: a frame at 30 a second)"
    )
    p.add_argument("--out", type=Path, required=True, help="folder for LoadGen's logs, one below it a scenario")
    p.add_argument("--json", action="store_true")
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    with ExitStack() as stack:
        net = open_model(args.model, args.precision, args.backend, args.threads or None)
        stack.enter_context(net)
        with open_source(args.source or str(default_clip())) as source:
            frames = [np.array(frame.image) for frame in islice(source, 32)]
        inputs = inputs_of(net, frames)
        monitor = stack.enter_context(Monitor())
        name, findings, qps = f"{net.backend.name} {net.manifest.precision}", [], args.qps
        for scenario in SCENARIOS:  # Offline before Server, which takes its rate from it
            if scenario not in (args.scenario or SCENARIOS):
                continue
            rate = qps if scenario == "Server" and qps else 1.2 * _rate_of(net)
            load = Load(scenario, args.seconds, qps=rate, limit_ms=args.limit_ms)
            findings.append(run_test(net, inputs, load, args.out / scenario))
            if scenario == "Offline" and not args.qps:
                qps = SERVER_SHARE * findings[-1].value
    invalid = problems(machine_facts(), monitor.conditions(), [])
    if args.seconds < OFFICIAL_S:
        invalid.append(f"each scenario ran for {args.seconds:g} s (MLPerf: {OFFICIAL_S:g}): raise --seconds")
    if args.json:
        document = {"valid": not invalid, "invalid_because": invalid, "scenarios": [asdict(f) for f in findings]}
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(document)).decode() + "\n")
        return 0
    console = terminal()
    for reason in invalid:
        console.print(f"[red]not to be quoted:[/] {escape(reason)}", soft_wrap=True)
    table = Table("scenario", "reported", "value", "LoadGen says", title=name)
    for finding in findings:
        table.add_row(finding.scenario, finding.headline, f"{finding.value:.2f}", finding.verdict)
    console.print(table)
    print(args.out)
    return 0


def _rate_of(net: Segmenter | QualityScorer) -> float:
    """Inferences a second, roughly."""
    started = time.monotonic()
    for _ in range(10):
        net.infer()
    return 10 / (time.monotonic() - started)


def inputs_of(net: Segmenter | QualityScorer, frames: Sequence[NDArray[np.uint8]]) -> Inputs:
    """Frames of one recording as the network's inputs."""
    box = find_sector(frames).box
    inputs = []
    for frame in frames:
        net.prepare(frame, box)
        inputs.append(net.input.copy())
    return inputs


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
