"""Frame rates of the shipped networks, interleaved: every precision on every CPU engine, one frame at a time.

Usage: python benchmarks/backends.py [--seconds 20] [--json]
Each round runs every configuration once, so that a busy moment of the machine hits all alike; quote the ratios.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import edge
from edge.backends import BACKENDS

MODELS = Path(__file__).resolve().parent.parent / "models"
BASE = ("onnxruntime", "fp32")


def measure(folder: Path, seconds: float) -> dict[str, dict[str, float]]:
    """p50 and p90 in ms and the median ratio to ONNX Runtime FP32 of each configuration."""
    keys = [(backend, precision) for backend in BACKENDS for precision in ("fp32", "int8")]
    models = {key: edge.open_model(folder, key[1], key[0]) for key in keys}
    rng = np.random.default_rng(0)
    for model in models.values():
        model._input[:] = rng.integers(0, 256, model._input.shape, np.uint8)
        for _ in range(5):
            model.infer()
    times: dict[tuple[str, str], list[float]] = {key: [] for key in keys}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for key, model in models.items():
            started = time.perf_counter()
            model.infer()
            times[key].append((time.perf_counter() - started) * 1e3)
    base = np.array(times[BASE])
    return {
        f"{backend} {precision}": {
            "p50_ms": float(np.median(values)),
            "p90_ms": float(np.percentile(values, 90)),
            "times_faster": float(np.median(base / np.array(values))),
            "runs": len(values),
        }
        for (backend, precision), values in times.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20, help="a network")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    results = {name: measure(MODELS / name, args.seconds) for name in ("pspnet-mk", "quality")}
    if args.json:
        print(json.dumps({"machine": platform.processor() or platform.machine(), **results}, indent=2))
        return
    for name, rows in results.items():
        table = Table(title=f"{name}, one frame at a time")
        for heading in ("engine", "p50 ms", "p90 ms", "x ONNX Runtime FP32", "runs"):
            table.add_column(heading)
        for engine, row in rows.items():
            table.add_row(
                engine, f"{row['p50_ms']:.2f}", f"{row['p90_ms']:.2f}", f"{row['times_faster']:.2f}", str(row["runs"])
            )
        Console().print(table)


if __name__ == "__main__":
    main()
