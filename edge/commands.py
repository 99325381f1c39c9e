"""The table of commands, in the order in which `echoedge --help` lists them."""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """Where a command lives: a module with `main(argv) -> exit code`, the extra its packages come with, its help."""

    module: str
    extra: str
    help: str


GROUPS: dict[str, dict[str, Command]] = {
    "Look at an echo": {
        "demo": Command("edge.demo", "openvino", "a synthetic patient, in a window or into files"),
        "run": Command("edge.run", "openvino", "segment, score and measure recordings or a live signal"),
        "locate": Command("edge.screen.locate", "dicom", "find sector, depth ticks and scale on a scanner's screen"),
    },
    "Check and time this machine": {
        "doctor": Command("edge.doctor", "openvino", "what this machine has, and what to install for the rest"),
        "bench": Command(
            "edge.bench.command", "openvino", "latency and frame rate of the pipeline, and what disturbed it"
        ),
        "bench nets": Command(
            "edge.bench.nets", "openvino", "latency of each network, in every precision, on every backend"
        ),
        "bench glass": Command(
            "edge.bench.glass", "openvino", "latency from the scanner's screen to ours, by a time code"
        ),
        "bench loadgen": Command("edge.bench.loadgen", "loadgen", "one network under MLPerf's load generator"),
        "bench roofline": Command("edge.bench.roofline", "openvino", "how near each network comes to the CPU's limits"),
    },
    "Get models": {
        "weights list": Command("edge.weights.list", "openvino", "the published models, and which of them are here"),
        "weights get": Command("edge.weights.get", "openvino", "fetch the precisions and checkpoints of a model"),
        "weights imagenet": Command(
            "train.imagenet", "train", "make mobilenet_v2.npz from torchvision's or timm's file"
        ),
    },
    "Look after a device": {
        "power": Command("edge.jetson.power", "openvino", "set a Jetson's power mode: bench, bedside or battery"),
        "first-boot": Command(
            "edge.jetson.first_boot", "openvino", "build the device's engines while the CPU already runs"
        ),
        "update": Command("edge.update.command", "sign", "install a signed release, go back, or see what is installed"),
    },
    "Make data": {
        "synth": Command("edge.synth.command", "dicom", "write synthetic echo loops with their ground truth"),
    },
    "Train": {
        "train segmentation": Command(
            "train.segmentation", "train", "PSPNet-MK or another network that segments frames"
        ),
        "train ral": Command("train.ral.command", "train", "RAL: contour and view from clips, with memory over time"),
        "train view": Command("train.view.command", "train", "the head that says plane and orientation"),
        "train quality": Command("train.quality.end_to_end", "train", "the network that scores regional image quality"),
        "train echo-dnd": Command("train.echo_dnd", "train", "the dual-noise diffusion model that refines contours"),
        "train coherence": Command(
            "train.quality.coherence", "train", "the network that predicts coherence from a picture"
        ),
        "distill": Command("train.distill", "train", "a student of few steps from a diffusion teacher"),
        "average": Command("train.average", "train", "one checkpoint from the mean of several"),
    },
    "Evaluate": {
        "evaluate": Command("train.evaluate.segmentation", "data", "accuracy of a model on annotated frames"),
        "evaluate clips": Command("train.evaluate.clips", "data", "accuracy, flicker and view on whole clips"),
        "evaluate quality": Command(
            "train.evaluate.quality", "train", "quality scores against labels, observers and errors"
        ),
        "evaluate refine": Command("train.evaluate.refine", "train", "accuracy and uncertainty of the refining model"),
        "reproduce": Command("train.reproduce", "train", "run a paper's table again, beside its own figures"),
    },
    "Compile and ship": {
        "export": Command("compile.export.command", "train", "checkpoint to FP32 ONNX with its manifest"),
        "calib choose": Command("compile.calibration", "compile", "choose the frames that INT8 is calibrated on"),
        "calib report": Command("calib.report", "compile", "what a calibration set covers, how far live frames drift"),
        "compile": Command("compile.main", "compile", "FP32 ONNX to the best file for a target, with evidence"),
        "graft view": Command("compile.graft_view", "compile", "put a view head onto a quality model's files"),
        "engine": Command("compile.engine.build", "compile", "build a TensorRT engine on this GPU"),
        "sign": Command("compile.ship.sign", "sign", "sign a model folder with Ed25519"),
        "bundle": Command("compile.ship.bundle", "sign", "wheels and models in one signed file for `echoedge update`"),
    },
}
COMMANDS: dict[str, Command] = {name: command for group in GROUPS.values() for name, command in group.items()}
