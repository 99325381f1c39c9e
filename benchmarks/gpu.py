"""Every network in torch on a GPU: FP32, TF32, FP16, BF16, batch 1, CUDA graph, transfer included. This is not
TensorRT.

Usage: python benchmarks/gpu.py [--frames 2000] [--json] Each network is captured once a precision and replayed; a frame
is copied from pinned memory, computed, its result copied back. Beside each stands the chip's limit: the same
convolution-sized matrix product and device-to-device copy, measured here. Not yet run: the machine that this was
written on has no GPU.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from rich.table import Table

from compile.export.checkpoint import graph_from_checkpoint
from edge.bench.machine import machine_facts
from edge.bench.roofline import demand_of
from edge.bench.stats import Percentiles, percentiles
from edge.nets.shelf import SHIPPED
from edge.terminal import terminal

PRECISIONS = {"fp32": torch.float32, "tf32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
WARM = 20
MATRIX, COPY_BYTES = 8192, 1 << 30


def set_precision(name: str) -> None:
    """TF32 is a mode of the whole process."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = name == "tf32"


def frame_runner(checkpoint: Path, precision: str) -> Callable[[], object]:
    """A captured network: pinned frame in, result in pinned memory out; the call returns when it is there."""
    set_precision(precision)
    graph, frame, _ = graph_from_checkpoint(checkpoint)
    graph, dtype = graph.cuda().eval(), PRECISIONS[precision]
    host_in = frame.pin_memory()
    device_in = host_in.cuda()

    def compute() -> torch.Tensor:
        with torch.autocast("cuda", dtype, enabled=dtype != torch.float32, cache_enabled=False):
            found: torch.Tensor = graph(device_in)
            return found

    stream = torch.cuda.Stream()
    with torch.inference_mode(), torch.cuda.stream(stream):
        for _ in range(3):
            device_out = compute()
        stream.synchronize()
        host_out = torch.empty_like(device_out, device="cpu").pin_memory()
        captured = torch.cuda.CUDAGraph()
        with torch.cuda.graph(captured, stream=stream):
            device_in.copy_(host_in, non_blocking=True)
            device_out = compute()
            host_out.copy_(device_out, non_blocking=True)

    def run() -> torch.Tensor:
        captured.replay()
        torch.cuda.synchronize()
        return host_out

    return run


def limits(precision: str) -> tuple[float, float]:
    """(multiply-accumulates a second of a large matrix product, bytes a second of a copy) on this GPU."""
    set_precision(precision)
    a = torch.randn(MATRIX, MATRIX, device="cuda", dtype=PRECISIONS[precision])
    b, block = torch.randn_like(a), torch.empty(COPY_BYTES, dtype=torch.uint8, device="cuda")
    other = torch.empty_like(block)
    product_s = _least_s(lambda: torch.matmul(a, b))
    return MATRIX**3 / product_s, 2 * COPY_BYTES / _least_s(lambda: other.copy_(block))


def _least_s(call: Callable[[], object]) -> float:
    times = []
    for _ in range(20):
        torch.cuda.synchronize()
        started = time.perf_counter()
        call()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return min(times)


def measure(folders: list[Path], frames: int) -> dict[str, tuple[Percentiles, float]]:
    """Name -> (latency, least possible ms); every configuration runs once a round."""
    runners, least = {}, {}
    roofs = {precision: limits(precision) for precision in PRECISIONS}
    for folder in folders:
        for precision, dtype in PRECISIONS.items():
            name = f"{folder.name} {precision}"
            runners[name] = frame_runner(folder / "checkpoint.safetensors", precision)
            demand = demand_of(folder / "fp32.onnx", quantized=False)
            bytes_moved = (demand.weight_bytes + demand.activation_bytes) * dtype.itemsize / 4
            macs_per_s, bytes_per_s = roofs[precision]
            least[name] = max(demand.macs / macs_per_s, bytes_moved / bytes_per_s) * 1e3
    times: dict[str, list[float]] = {name: [] for name in runners}
    for turn in range(WARM + frames):
        for name, run in runners.items():
            set_precision(name.rpartition(" ")[2])
            started = time.perf_counter()
            run()
            if turn >= WARM:
                times[name].append((time.perf_counter() - started) * 1e3)
    return {name: (percentiles(np.array(values)), least[name]) for name, values in times.items()}


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument(
        "--model", action="append", type=Path, help="folder with checkpoint.safetensors and fp32.onnx, repeatable"
    )
    p.add_argument("--frames", type=int, default=2000)
    p.add_argument("--json", action="store_true")
    args = p.parse_args()
    if not torch.cuda.is_available():
        sys.exit("no CUDA GPU that this torch can use: see `nvidia-smi` and torch's CUDA build")
    folders = args.model or [f for f in sorted(SHIPPED.iterdir()) if (f / "checkpoint.safetensors").exists()]
    found = measure(folders, args.frames)
    gpu = torch.cuda.get_device_name()
    if args.json:
        rows = {name: {"p50": t.p50, "p99": t.p99, "least_ms": least} for name, (t, least) in found.items()}
        print(
            json.dumps(
                {"gpu": gpu, "machine": machine_facts().name, "torch": torch.__version__, "not_tensorrt": rows},
                indent=2,
            )
        )
        return
    table = Table(
        "network",
        "p50 ms",
        "p90 ms",
        "p99 ms",
        "least ms",
        "of the limit",
        title=f"torch, CUDA graph (not TensorRT), {gpu}",
    )
    for name, (t, least) in found.items():
        cells = (t.p50, t.p90, t.p99, least)
        table.add_row(name, *(f"{value:.3f}" for value in cells), f"{100 * least / t.p50:.0f} %")
    terminal().print(table)


if __name__ == "__main__":
    main()
