"""The second road to an engine: checkpoint to TensorRT through torch-tensorrt, for machines that have it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge.errors import BackendError, MissingExtraError


def engine_from_checkpoint(checkpoint: Path, precision: str) -> bytes:
    """Serialised engine of a checkpoint's graph at "fp32" or "fp16".

    Raises MissingExtraError without torch-tensorrt, BackendError where it cannot start or the precision is INT8, whose
    only route is a Q/DQ file.
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
    from compile.export import graph_from_checkpoint

    graph, frame, _ = graph_from_checkpoint(checkpoint)
    if not torch.cuda.is_available():
        raise BackendError("torch-tensorrt needs an NVIDIA GPU and finds none; build with --via onnx")
    types: dict[str, Any] = {"enabled_precisions": {torch.float16 if precision == "fp16" else torch.float32}}
    program = torch.export.export(graph.cuda(), (frame.cuda(),))
    engine = torch_tensorrt.dynamo.convert_exported_program_to_serialized_trt_engine(
        program, inputs=[frame.cuda()], **types
    )
    return bytes(engine)
