"""FP32 ONNX to INT8 with explicit Q/DQ, for CPUs: `echoedge quantize`."""

from __future__ import annotations

import argparse
import logging
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from calib.choose import calibration_inputs, choose_frames, digest_of
from edge.errors import ModelError
from edge.manifest import find_manifests, sha256_of, verified_artefact, write_manifest
from train.data import open_data
from train.data.camus import read_split

QUANTIZED_OPS = ["Conv", "Add", "Concat", "Clip", "AveragePool", "GlobalAveragePool", "ReduceMean", "Gemm", "MatMul"]
"""Resize and ArgMax stay in float: their cost is small and class borders are decided there."""


class Feed(CalibrationDataReader):  # type: ignore[misc]
    """Hands calibration inputs to ONNX Runtime one by one."""

    def __init__(self, name: str, inputs: Sequence[NDArray[np.uint8]]) -> None:
        self._rest: Iterator[dict[str, NDArray[np.uint8]]] = iter([{name: array} for array in inputs])

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        return next(self._rest, None)


def int8_from_onnx(source: Path, target: Path, inputs: Sequence[NDArray[np.uint8]]) -> None:
    """Write `source` with Q/DQ pairs: uint8 asymmetric activations, int8 per-channel weights, min-max calibration.

    This is the form that OpenVINO and ONNX Runtime run fastest on x86 and Arm CPUs; TensorRT needs another.
    """
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        model = onnx.load(prepared)
        normalisation = [n.name for n in model.graph.node if n.op_type in ("Cast", "Mul", "Div", "Sub")]
        logging.disable(logging.WARNING)
        try:
            quantize_static(
                str(prepared), str(target), Feed(model.graph.input[0].name, inputs),
                quant_format=QuantFormat.QDQ, op_types_to_quantize=QUANTIZED_OPS, per_channel=True,
                activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax, nodes_to_exclude=normalisation,
            )  # fmt: skip
        finally:
            logging.disable(logging.NOTSET)
    onnx.checker.check_model(onnx.load(target), full_check=True)


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge quantize",
        description="Add int8.onnx to a model folder that has fp32.onnx.",
        epilog="example: echoedge quantize models/pspnet-mk --data camus:/data/camus --exclude split_valid.txt",
    )
    p.add_argument("model", type=Path, help="model folder")
    p.add_argument(
        "--data", action="append", required=True, help="KIND:FOLDER of frames to calibrate on, may be repeated"
    )
    p.add_argument("--exclude", type=Path, required=True, help="file of patients kept for evaluation, one a line")
    p.add_argument("--count", type=int, default=128, help="calibration frames (default 128)")
    p.add_argument("--seed", type=int, default=0)
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    found = {m.precision: (m, path) for m, path in find_manifests(args.model)}
    if "fp32" not in found:
        raise ModelError(f"{args.model} has no fp32 file to quantize; make it with `echoedge export`")
    manifest, path = found["fp32"]
    source = verified_artefact(manifest, path)
    samples = [sample for place in args.data for sample in open_data(place)]
    chosen = choose_frames(samples, args.count, set(read_split(args.exclude)), args.seed)
    inputs = calibration_inputs(chosen, manifest.preprocess)
    target = args.model / "int8.onnx"
    int8_from_onnx(source, target, inputs)
    quantized = msgspec.structs.replace(
        manifest,
        file=target.name,
        sha256=sha256_of(target),
        parent_sha256=manifest.sha256,
        precision="int8",
        target="cpu",
        calibration_sha256=digest_of(inputs),
        evidence={"calibration_frames": len(inputs), "calibration": "min-max"},
        command=shlex.join(["echoedge", "quantize", *argv]),
    )
    write_manifest(quantized, target.with_suffix(".json"))
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
