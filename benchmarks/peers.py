"""What people would use instead, measured in turn with EchoEdge on the same network and clip.

Usage: python benchmarks/peers.py --out peers [--seconds 60] [--fast FAST_VENV/bin/python] Prints each peer's ratio to
the pipeline and to the network alone with 95 % intervals; the ratios hold on a busy machine, too. Both networks,
regions, measurement and overlay are in the pipeline's frame; in a peer's frame is what its script says. FAST gets the
same weights in a file whose input is float and whose output is the class scores, because it takes no other.
"""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import onnx
from rich.table import Table

from edge.bench.clip import default_clip
from edge.bench.interleave import YARDSTICK, Worker, worker_of
from edge.bench.result import Result
from edge.bench.session import add_options, conclude, perform
from edge.bench.stats import ratio_interval
from edge.bench.worker import Spec
from edge.nets.manifest import find_manifests
from edge.nets.shelf import model_folder
from edge.preprocess import preprocess
from edge.screen.sector import find_sector
from edge.sources import open_source
from edge.terminal import terminal

HERE = Path(__file__).resolve().parent / "peers"
ROOT = HERE.parent.parent
PIPELINE, NETWORK = "EchoEdge pipeline", "EchoEdge network int8"
CROPS = 32
CLASSES = 4


def make_crops(clip: Path, folder: Path) -> None:
    """The clip's sector crops as CROPS.npy and as numbered PNGs."""
    with open_source(str(clip)) as source:
        frames = [np.array(frame.image) for frame in islice(source, CROPS)]
    spec = find_manifests("pspnet-mk")[0][0].preprocess
    box = find_sector(frames).box
    crops = np.stack([preprocess(frame, box, spec) for frame in frames])
    np.save(folder / "crops.npy", crops)
    for number, crop in enumerate(crops):
        cv2.imwrite(str(folder / f"{number}.png"), crop[0, 0])


def float_network(source: Path, target: Path) -> None:
    """The FP32 file with a float 0-255 input and, for its output, the class scores that its ArgMax sees."""
    model = onnx.load(source)
    graph = model.graph
    name = graph.input[0].name
    last = next(node for node in reversed(graph.node) if node.op_type == "ArgMax")
    scores, shape = last.input[0], [d.dim_value for d in graph.input[0].type.tensor_type.shape.dim]
    graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] == name:
            node.op_type = "Identity"
            del node.attribute[:]
    needed = _reaching(list(graph.node), scores)
    del graph.node[:]
    graph.node.extend(needed)
    del graph.output[:]
    graph.output.append(onnx.helper.make_tensor_value_info(scores, onnx.TensorProto.FLOAT, [1, CLASSES, *shape[2:]]))
    del graph.value_info[:]
    onnx.checker.check_model(model)
    onnx.save(model, target)


def _reaching(nodes: list[onnx.NodeProto], wanted: str) -> list[onnx.NodeProto]:
    """The nodes that a tensor depends on, in order."""
    needed, kept = {wanted}, []
    for node in reversed(nodes):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    return kept[::-1]


def peer(name: str, *command: object) -> Worker:
    """Start a peer's script. Its own environment gets neither this one's packages nor a screen."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ.setdefault("XDG_RUNTIME_DIR", "/tmp")
    os.environ["PYTHONPATH"] = str(ROOT)
    return Worker(name, "peer", [str(part) for part in command], {})


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--fast", help="Python of an environment with pyfast")
    p.add_argument("--no-torch", action="store_true", help="leave torch out")
    add_options(p)
    args = p.parse_args()
    if not args.out:
        p.error("--out is needed: the peers' files are kept there")
    clip, folder, model = default_clip(), args.out, model_folder("pspnet-mk")
    folder.mkdir(parents=True, exist_ok=True)
    make_crops(clip, folder)
    float_network(model / "fp32.onnx", folder / "float.onnx")
    crops, python = folder / "crops.npy", sys.executable
    builders = [
        partial(worker_of, Spec("pipeline", PIPELINE, str(clip), str(model), "quality")),
        partial(worker_of, Spec("net", NETWORK, str(clip), str(model), precision="int8")),
        partial(peer, "ONNX Runtime fp32", python, HERE / "onnxruntime_plain.py", model / "fp32.onnx", crops),
        partial(peer, "OpenVINO fp32", python, HERE / "openvino_plain.py", model / "fp32.onnx", crops),
        partial(peer, "OpenVINO int8", python, HERE / "openvino_plain.py", model / "int8.onnx", crops),
    ]
    if args.fast:
        builders.append(
            partial(
                peer, "FAST fp32", args.fast, HERE / "fast_segmentation.py", folder / "float.onnx", folder / "#.png"
            )
        )
    for how in () if args.no_torch else ("eager", "compiled"):
        checkpoint = model / "checkpoint.safetensors"
        builders.append(partial(peer, f"torch {how} fp32", python, HERE / "torch_net.py", how, checkpoint, crops))
    result = perform(builders, "peers", args, ["peers", *sys.argv[1:]])
    code = conclude(result, args)
    if not args.json:
        terminal().print(ratios(result))
    sys.exit(code)


def ratios(result: Result) -> Table:
    """How many times as long a peer takes for a frame as EchoEdge does."""
    runs = {run.name: run for run in result.runs}
    load = f"others used {result.conditions.other_load_cores:.2f} of {result.machine.cores} cores meanwhile"
    table = Table("peer", "time of a pipeline frame", "time of the network int8", title=f"ratios of medians; {load}")
    for run in result.runs:
        if run.kind != "peer" or run.name == YARDSTICK:
            continue
        # Frame rates for the pipeline: its stages overlap, a frame's latency is longer than its share of the time.
        per_frame = (1 / run.fps) / (1 / runs[PIPELINE].fps)
        ratio, low, high = ratio_interval(runs[NETWORK].samples_ms, run.samples_ms)
        table.add_row(run.name, f"{per_frame:.2f}", f"{ratio:.2f} ({low:.2f} to {high:.2f})")
    return table


if __name__ == "__main__":
    main()
