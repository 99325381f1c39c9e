"""Accuracy mode of MLPerf's LoadGen on annotated frames: what the network answered under the harness, scored against
the labels.

Usage: python benchmarks/loadgen.py --data camus:../shared/data/camus --split ../shared/data/camus/split_valid.txt --out
loadgen MLPerf asks a quantized network for at least 99 % of the reference's accuracy; the reference is the FP32 file in
ONNX Runtime.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from rich.table import Table

from edge.bench.loadgen import Load, outputs_in, run_test
from edge.nets.model import open_segmenter
from edge.postprocess import clean_mask, mask_on_frame
from edge.screen.sector import find_sector
from edge.terminal import terminal
from train.data import open_data
from train.data.camus import read_split
from train.data.sample import Sample
from train.evaluate.segmentation import evaluate_frame

ENOUGH = 0.99


def dice_under_loadgen(samples: list[Sample], precision: str, backend: str, model: Path, folder: Path) -> float:
    """Mean LV Dice of the masks in LoadGen's accuracy log."""
    with open_segmenter(model, precision, backend) as net:
        boxes = [find_sector([sample.image]).box for sample in samples]
        inputs = []
        for sample, box in zip(samples, boxes):
            net.prepare(sample.image, box)
            inputs.append(net.input.copy())
        size = net.input.shape[-1]
        run_test(net, inputs, Load("Offline", 1, "accuracy"), folder)
    scores = []
    for index, raw in outputs_in(folder).items():
        mask = clean_mask(np.frombuffer(raw, np.uint8).reshape(size, size))
        sample = samples[index]
        on_frame = mask_on_frame(mask, boxes[index], sample.image.shape[:2])
        scores.append(evaluate_frame(on_frame, sample)["dice"]["lv"])
    if len(scores) != len(samples):
        sys.exit(f"LoadGen asked for {len(scores)} of {len(samples)} frames")
    return float(np.mean(scores))


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", required=True, help="camus:FOLDER or another data set of `echoedge evaluate`")
    p.add_argument("--split", type=Path, required=True, help="file with the held-out patients")
    p.add_argument("--model", default="pspnet-mk")
    p.add_argument("--frames", type=int, default=0, help="the first so many only")
    p.add_argument("--out", type=Path, required=True, help="folder for LoadGen's logs")
    args = p.parse_args()
    patients = set(read_split(args.split))
    samples = [sample for sample in open_data(args.data) if sample.patient in patients]
    samples = samples[: args.frames or None]
    reference = dice_under_loadgen(samples, "fp32", "onnxruntime", args.model, args.out / "fp32")
    found = dice_under_loadgen(samples, "int8", "openvino", args.model, args.out / "int8")
    table = Table(
        "file", "LV Dice", "of the reference", title=f"LoadGen, accuracy mode, {len(samples)} held-out frames"
    )
    table.add_row("fp32, ONNX Runtime", f"{reference:.4f}", "")
    table.add_row("int8, OpenVINO", f"{found:.4f}", f"{100 * found / reference:.2f} %")
    terminal().print(table)
    if found < ENOUGH * reference:
        sys.exit(f"less than {100 * ENOUGH:.0f} % of the reference")


if __name__ == "__main__":
    main()
