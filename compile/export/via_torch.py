"""The second road to an engine: checkpoint to TensorRT through torch-tensorrt, for machines that have it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge.errors import BackendError, MissingExtraError

OUTPUT = "output0"
"""What torch-tensorrt calls the first output; inputs keep the names of `forward`'s arguments."""
TYPED_SINCE = (2, 13)
"""The first release whose engines take their types from the graph; older ones take them from an argument."""


def engine_from_checkpoint(checkpoint: Path, precision: str) -> tuple[bytes, str]:
    """(serialised engine of a checkpoint's graph at "fp32" or "fp16", release of torch-tensorrt).

    Raises MissingExtraError without torch-tensorrt, BackendError where it cannot start, is too old or fails, or where
    the precision is INT8, whose only route is a Q/DQ file.
    """
    if precision == "int8":
        raise BackendError("torch-tensorrt is fed no Q/DQ here: build INT8 with --via onnx")
    try:
        import torch
        import torch_tensorrt
    except ImportError as error:
        raise MissingExtraError(f"--via torch-tensorrt ({error})", "torch-tensorrt") from error
    except (AssertionError, OSError) as error:  # it checks for CUDA and its libraries while it is imported
        raise BackendError(f"torch-tensorrt cannot start here: {error}; build with --via onnx") from error
    release = str(torch_tensorrt.__version__)
    if tuple(int(part) for part in release.split(".")[:2]) < TYPED_SINCE:
        raise BackendError(f"torch-tensorrt {release} is installed, 2.13 or later is needed; or build with --via onnx")
    from compile.export.checkpoint import graph_from_checkpoint

    graph, frame, _ = graph_from_checkpoint(checkpoint)
    if not torch.cuda.is_available():
        raise BackendError("torch-tensorrt needs an NVIDIA GPU and finds none; build with --via onnx")
    if precision == "fp16":
        narrow(graph)
    program = torch.export.export(graph.cuda(), (frame.cuda(),))
    try:
        engine = torch_tensorrt.dynamo.convert_exported_program_to_serialized_trt_engine(
            program, arg_inputs=[frame.cuda()], require_full_compilation=True
        )
    except (RuntimeError, AssertionError) as error:
        raise BackendError(f"torch-tensorrt {release} cannot build {checkpoint}: {error}; try --via onnx") from error
    return bytes(engine), release


def narrow(graph: Any) -> None:
    """Have a graph's network compute in float16; what stands around it stays float32, as in the FP16 file."""
    graph.net.half()
    graph.net.register_forward_pre_hook(lambda net, inputs: tuple(x.half() for x in inputs))
    graph.net.register_forward_hook(lambda net, inputs, output: output.float())
