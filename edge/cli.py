"""`echoedge`: one console script; each command lives in its own module, imported only when asked for."""

from __future__ import annotations

import importlib
import io
import logging
import os
import sys
from collections.abc import Sequence

from edge.errors import EchoEdgeError, MissingExtraError

COMMANDS: dict[str, tuple[str, str, str]] = {
    "run": ("edge.run", "openvino", "segment, score and measure a recording; write the annotated video"),
    "locate": ("edge.screen.locate", "dicom", "what is found on a scanner's screen: sector, depth ticks, mm per pixel"),
    "bench": ("edge.bench.command", "openvino", "latency and frame rate of the pipeline, with what disturbed them"),
    "bench nets": ("edge.bench.nets", "openvino", "latency of each network, every precision on every backend"),
    "bench glass": ("edge.bench.glass", "openvino", "latency from the scanner's screen to ours, by a time-code"),
    "bench loadgen": ("edge.bench.loadgen", "loadgen", "one network under MLPerf's load generator"),
    "bench roofline": ("edge.bench.roofline", "openvino", "the CPU's measured peaks, how near each network comes"),
    "doctor": ("edge.doctor", "openvino", "what this machine has, and what to install for the rest"),
    "power": ("edge.jetson.power", "openvino", "set a Jetson's power mode: bench, bedside or battery"),
    "first-boot": ("edge.jetson.first_boot", "openvino", "build a device's engines while the CPU already runs"),
    "update": ("edge.update.command", "sign", "install a signed release on a device, go back, see what is installed"),
    "synth": ("edge.synth.command", "dicom", "write synthetic echo loops with their ground truth"),
    "evaluate quality": ("train.evaluate.quality", "train", "a quality model against labels, observers and errors"),
    "evaluate": ("train.evaluate.segmentation", "data", "accuracy of a model folder on annotated data"),
    "evaluate clips": ("train.evaluate.clips", "data", "accuracy, flicker and view of models on whole clips"),
    "evaluate refine": (
        "train.evaluate.refine",
        "train",
        "accuracy and uncertainty of the refining model on annotated data",
    ),
    "train segmentation": ("train.segmentation", "train", "train PSPNet-MK or another of the table's networks"),
    "train ral": ("train.ral.command", "train", "train RAL on clips: segmentation and view, with memory over time"),
    "train quality": ("train.quality.end_to_end", "train", "train the regional quality net"),
    "train echo-dnd": ("train.echo_dnd", "train", "train the dual-noise diffusion model"),
    "distill": ("train.distill", "train", "a few-step student from a dual-noise diffusion teacher"),
    "train coherence": ("train.quality.coherence", "train", "train the net that predicts coherence from a picture"),
    "average": ("train.average", "train", "one checkpoint from the mean of several runs of a network"),
    "reproduce": ("train.reproduce", "train", "a paper's table, run again beside its figures"),
    "export": ("compile.export.command", "train", "checkpoint to ONNX with its manifest"),
    "compile": ("compile.main", "compile", "a model's FP32 files to the best of a target, with evidence"),
    "engine": ("compile.engine.build", "compile", "build a TensorRT engine from an artefact"),
    "sign": ("compile.ship.sign", "sign", "sign a model folder with Ed25519"),
    "bundle": ("compile.ship.bundle", "sign", "wheels and models in one signed file for `echoedge update`"),
    "calib choose": ("compile.calibration", "compile", "choose calibration frames"),
    "calib report": ("calib.report", "compile", "coverage of a calibration set, drift of live frames"),
}
"""Command -> module with `main(argv) -> exit code`, the extra its packages come with, one line of help."""

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Dispatch. Exit codes: 0 done, 1 a file or the machine failed, 2 bad input or a missing package (one line on
    stderr), 130 interrupted; `run` has more, see its help.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # a console that has no such letter shows its number
        sys.stdout.reconfigure(errors="backslashreplace")
    args = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in args
    if debug:
        args.remove("--debug")
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.DEBUG if debug else logging.WARNING)
    name = next((n for n in (" ".join(args[:2]), args[0] if args else "") if n in COMMANDS), None)
    if name is None:
        return _help(args)
    module, extra, _ = COMMANDS[name]
    try:
        try:
            command = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if debug:
                raise
            raise MissingExtraError(f"`echoedge {name}` ({error.name})", extra) from error
        code = int(command.main(args[len(name.split()) :]))
        sys.stdout.flush()  # a full disk shows here, and not after our last word
        return code
    except EchoEdgeError as error:
        if debug:
            raise
        print(f"echoedge: {error}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (
        OSError
    ) as error:  # of the machine, such as a full disk: what is wrong with which file is all there is to say
        if debug:
            raise
        print(f"echoedge: {error.filename or 'output'}: {error.strerror or error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _help(args: list[str]) -> int:
    width = max(len(name) for name in COMMANDS)
    lines = [
        "usage: echoedge COMMAND [options] [--debug]",
        "",
        *(f"  {name:{width}}  {text}" for name, (_, _, text) in COMMANDS.items()),
        "",
        "`echoedge COMMAND --help` shows a command's options. Research use only; not a medical device.",
        "example: echoedge run loop.dcm --out out",
    ]
    wanted = not args or args[0] in ("-h", "--help")
    print("\n".join(lines), file=sys.stdout if wanted else sys.stderr)
    if wanted:
        return 0
    print(f"echoedge: '{' '.join(args[:2])}' is no command", file=sys.stderr)
    return BAD_INPUT


if __name__ == "__main__":
    sys.exit(main())
