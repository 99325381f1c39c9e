"""`echoedge bench roofline`: what this machine's CPU can do at most, and how near each network comes.

Peaks are measured, not looked up: multiply-accumulates a second of one large convolution in INT8 and FP32 (OpenVINO),
and bytes a second of copying an array larger than the caches. A network's least time is the larger of its
multiply-accumulates over the peak and its bytes over the bandwidth (Williams, Waterman, Patterson 2009, Communications
of the ACM 52, "Roofline").
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from rich.markup import escape
from rich.table import Table

from edge.bench.machine import machine_facts
from edge.bench.monitor import Monitor
from edge.bench.validity import problems
from edge.nets.artefacts import readable, tasks_of
from edge.nets.backends.ov import openvino_core
from edge.nets.manifest import find_manifests, verified_artefact
from edge.nets.model import load_model
from edge.terminal import terminal

CHANNELS, SIDE, KERNEL = 256, 56, 3
"""The probing convolution: 1.85 G multiply-accumulates, weights and activations within the caches."""
COPY_MIB = 256
ROUNDS = 30


@dataclass(frozen=True)
class Ceiling:
    """The machine: multiply-accumulates a second by precision, bytes a second of memory (read + written)."""

    macs_per_s: dict[str, float]
    bytes_per_s: float


@dataclass(frozen=True)
class Demand:
    """One network, per frame: multiply-accumulates, and bytes (weights once, activations written and read)."""

    macs: int
    weight_bytes: int
    activation_bytes: int


@dataclass(frozen=True)
class Place:
    """A network under the roof: its fastest tenth of runs, its least time, and which of the two limits binds it."""

    name: str
    measured_ms: float
    least_ms: float
    bound: str
    demand: Demand

    @property
    def share(self) -> float:
        return self.least_ms / self.measured_ms


def fastest_s(call: Callable[[], object], rounds: int = ROUNDS) -> float:
    """The 10th percentile of a call's duration: what the machine does when nothing interferes."""
    call()
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return float(np.percentile(times, 10))


def ceiling(threads: int = 0) -> Ceiling:
    """Measure the peaks. Raises MissingExtraError without OpenVINO."""
    source = np.ones(COPY_MIB << 17, np.float64)
    target = np.empty_like(source)
    copied = fastest_s(lambda: np.copyto(target, source), 10)
    macs = CHANNELS * CHANNELS * KERNEL**2 * SIDE**2
    peaks = {name: macs / fastest_s(_convolution(name, threads)) for name in ("fp32", "int8")}
    return Ceiling(peaks, 2 * source.nbytes / copied)


def _convolution(precision: str, threads: int) -> Callable[[], object]:
    """A convolution of constant weights in OpenVINO; INT8 has FakeQuantize on both sides, so it runs in integers."""
    core = openvino_core()
    import openvino
    import openvino.opset13 as ops

    rng = np.random.default_rng(0)
    frame = ops.parameter([1, CHANNELS, SIDE, SIDE], np.float32)
    weights = ops.constant(rng.integers(-127, 128, (CHANNELS, CHANNELS, KERNEL, KERNEL)).astype(np.float32))
    inner: Any = frame
    if precision == "int8":
        inner = ops.fake_quantize(inner, np.float32(0), np.float32(255), np.float32(0), np.float32(255), 256)
        weights = ops.fake_quantize(weights, np.float32(-127), np.float32(127), np.float32(-127), np.float32(127), 255)
    made = ops.convolution(inner, weights, [1, 1], [1, 1], [1, 1], [1, 1])
    made = ops.relu(made)
    if precision == "int8":
        made = ops.fake_quantize(made, np.float32(0), np.float32(2e6), np.float32(0), np.float32(255), 256)
    settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    if threads:
        settings["INFERENCE_NUM_THREADS"] = threads
    request = core.compile_model(openvino.Model([made], [frame]), "CPU", settings).create_infer_request()
    request.infer([rng.integers(0, 256, (1, CHANNELS, SIDE, SIDE)).astype(np.float32)])
    return lambda: request.infer()


def demand_of(path: Path, quantized: bool) -> Demand:
    """Count a network's work from its ONNX file, by OpenVINO's reader: convolutions and matrix products."""
    macs = weights = activations = 0
    width = 1 if quantized else 4
    for node in openvino_core().read_model(path).get_ordered_ops():
        kind = node.get_type_name()
        if kind not in ("Convolution", "GroupConvolution", "MatMul"):
            continue
        out, filters = node.output(0).get_shape(), node.input(1).get_shape()
        size = int(np.prod(out))
        if kind == "Convolution":
            per_output = int(np.prod(filters[1:]))
        elif kind == "GroupConvolution":
            per_output = int(np.prod(filters[2:]))
        else:
            per_output = int(node.input(0).get_shape()[-1])
        macs += size * per_output
        weights += int(np.prod(filters)) * width
        activations += (size + int(np.prod(node.input(0).get_shape()))) * width
    return Demand(macs, weights, activations)


def place(name: str, demand: Demand, precision: str, roof: Ceiling, measured_s: float) -> Place:
    """Put a measured network under the roof."""
    compute = demand.macs / roof.macs_per_s[precision]
    memory = (demand.weight_bytes + demand.activation_bytes) / roof.bytes_per_s
    bound = "multiply-accumulates" if compute > memory else "memory"
    return Place(name, measured_s * 1e3, max(compute, memory) * 1e3, bound, demand)


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge bench roofline",
        description="The CPU's measured peaks and how near each network comes: what faster code could still gain.",
        epilog="example: echoedge bench roofline --json",
    )
    p.add_argument("--model", action="append", metavar="FOLDER", help="repeatable (default: both shipped networks)")
    p.add_argument("--threads", type=int, default=0, help="threads (default: all cores)")
    p.add_argument("--json", action="store_true")
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    places = []
    with Monitor() as monitor:
        roof = ceiling(args.threads)
        for folder in args.model or ["pspnet-mk", "quality"]:
            found = find_manifests(folder)
            for manifest, path in (p for task in tasks_of(found) for p in readable(found, task, "cpu").values()):
                if manifest.precision not in roof.macs_per_s:
                    continue
                file = verified_artefact(manifest, path)
                with load_model(manifest, path, "openvino", args.threads or None) as net:
                    measured_s = fastest_s(net.infer, 2 * ROUNDS)
                demand = demand_of(file, manifest.precision == "int8")
                places.append(
                    place(f"{manifest.name} {manifest.precision}", demand, manifest.precision, roof, measured_s)
                )
    invalid = problems(machine_facts(), monitor.conditions(), [])
    if args.json:
        document = {
            "valid": not invalid,
            "invalid_because": invalid,
            "ceiling": asdict(roof),
            "networks": [{**asdict(p), "share": p.share} for p in places],
        }
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(document)).decode() + "\n")
        return 0
    console = terminal()
    for reason in invalid:
        console.print(f"[red]not to be quoted:[/] {escape(reason)}", soft_wrap=True)
    peaks = ", ".join(
        f"{name} {rate / 1e9:.0f} G multiply-accumulates a second" for name, rate in roof.macs_per_s.items()
    )
    console.print(f"peaks: {peaks}; memory {roof.bytes_per_s / 1e9:.1f} GB a second")
    table = Table("network", "G MAC", "MB", "least ms", "fastest ms", "of the roof", "bound by")
    for p in places:
        megabytes = (p.demand.weight_bytes + p.demand.activation_bytes) / 1e6
        table.add_row(
            p.name,
            f"{p.demand.macs / 1e9:.2f}",
            f"{megabytes:.1f}",
            f"{p.least_ms:.2f}",
            f"{p.measured_ms:.2f}",
            f"{100 * p.share:.0f} %",
            p.bound,
        )
    console.print(table)
    return 0
