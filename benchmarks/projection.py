"""What the networks may take on a Jetson: a projection from published timings of other networks, not a measurement.

Usage: python benchmarks/projection.py [--model FOLDER …] [--json]

likely: a + b x multiply-accumulates, fitted to YOLO11 n to x on the same board (TensorRT, batch 1, 640 px; Ultralytics'
documentation, "NVIDIA Jetson", and its table of FLOPs). a holds launches and Python, which do not shrink with the
network. low: the roofline of the board's data sheet, which nothing passes. high: likely plus all activations moved at
half the memory bandwidth, since depthwise networks move more for each product than YOLO11 does. The fit's own largest
error stands beside it. Thor has no such table: AGX Orin's figures divided by the published ratios of bandwidth (likely)
and of one transformer (low).
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass

import numpy as np
from rich.table import Table

from edge.bench.roofline import Demand, demand_of
from edge.nets.artefacts import choose, tasks_of
from edge.nets.manifest import find_manifests, verified_artefact
from edge.terminal import terminal

YOLO11_GMAC = np.array([6.5, 21.5, 68.0, 86.9, 194.9]) / 2
"""n, s, m, l, x at 640 px."""
INT8_MACS_A_CLOCK = 512
"""Of one tensor core of Orin, dense; the data sheets' sparse TOPS are twice that. FP16: half."""
BYTES = {"int8": 1, "fp16": 2}


@dataclass(frozen=True)
class Board:
    """Data sheet (tensor cores, GHz, GB/s) and published milliseconds of YOLO11 n to x by precision."""

    tensor_cores: int
    ghz: float
    gb_per_s: float
    yolo11_ms: dict[str, list[float]]

    def least_ms(self, demand: Demand, precision: str) -> float:
        """The roofline for a network whose bytes are counted at INT8."""
        macs_per_s = self.tensor_cores * self.ghz * 1e9 * INT8_MACS_A_CLOCK / BYTES[precision]
        moved = (demand.weight_bytes + demand.activation_bytes) * BYTES[precision]
        return 1e3 * max(demand.macs / macs_per_s, moved / self.gb_per_s / 1e9)


BOARDS = {
    "Orin Nano Super": Board(
        32, 1.02, 102.0, {"int8": [3.91, 5.25, 9.58, 12.37, 20.72], "fp16": [4.91, 7.30, 13.99, 17.57, 32.94]}
    ),
    "Orin NX 16 GB": Board(
        32, 0.918, 102.4, {"int8": [4.37, 5.63, 10.19, 13.36, 22.32], "fp16": [4.85, 7.55, 14.45, 18.53, 35.99]}
    ),
    "AGX Orin 64 GB": Board(
        64, 1.3, 204.8, {"int8": [2.45, 3.01, 5.12, 6.60, 9.78], "fp16": [2.60, 3.68, 6.79, 8.11, 13.66]}
    ),
}
THOR_BANDWIDTH, THOR_TRANSFORMER = 273 / 204.8, 763 / 137
"""Thor by AGX Orin: memory bandwidth (data sheets); SAM3 at 924 px (Embedl's Edge Inference Benchmarks)."""


@dataclass(frozen=True)
class Projection:
    """Milliseconds of one frame on the GPU, and the largest error of the fit on the networks it was made of."""

    board: str
    network: str
    precision: str
    low_ms: float
    likely_ms: float
    high_ms: float
    fit_error: float


def project(name: str, board: Board, network: str, demand: Demand, precision: str) -> Projection:
    """One network on one board; `demand` with its bytes counted at INT8."""
    published = np.array(board.yolo11_ms[precision])
    # Relative errors count alike, so that the small networks, which ours resemble, are not lost beside the large ones.
    design = np.stack([np.ones_like(YOLO11_GMAC), YOLO11_GMAC], axis=1)
    fitted, *_ = np.linalg.lstsq(design / published[:, None], np.ones(len(published)), rcond=None)
    error = float(np.abs(design @ fitted / published - 1).max())
    likely = float(fitted[0] + fitted[1] * demand.macs / 1e9)
    moving = 1e3 * demand.activation_bytes * BYTES[precision] / (board.gb_per_s * 1e9 / 2)
    return Projection(name, network, precision, board.least_ms(demand, precision), likely, likely + moving, error)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", action="append", metavar="FOLDER", help="repeatable (default: both shipped networks)")
    p.add_argument("--json", action="store_true")
    args = p.parse_args()
    rows = []
    for folder in args.model or ["pspnet-mk", "quality"]:
        found = find_manifests(folder)
        manifest, path = choose(found, tasks_of(found)[0], "fp32", "any")
        demand = demand_of(verified_artefact(manifest, path), quantized=True)
        for precision in BYTES:
            made = [project(name, board, manifest.name, demand, precision) for name, board in BOARDS.items()]
            agx = made[-1]
            thor = Projection(
                "Thor",
                agx.network,
                precision,
                agx.low_ms / THOR_TRANSFORMER,
                agx.likely_ms / THOR_BANDWIDTH,
                agx.high_ms,
                agx.fit_error,
            )
            rows += [*made, thor]
    if args.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
        return
    table = Table(
        "board",
        "network",
        "precision",
        "low ms",
        "likely ms",
        "high ms",
        "largest error of the fit",
        title="projection, not measured",
    )
    for row in rows:
        figures = (f"{value:.2f}" for value in (row.low_ms, row.likely_ms, row.high_ms))
        table.add_row(row.board, row.network, row.precision, *figures, f"{100 * row.fit_error:.0f} %")
    terminal().print(table)


if __name__ == "__main__":
    main()
