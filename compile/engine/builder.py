"""ONNX to a TensorRT engine: one builder for `tensorrt` (8.6, 10.x, 11.x) and `tensorrt_rtx`.

What differs between the releases is tested for with hasattr. The precision is the file's own: 10.x and later type the
network strongly, 8.6 is told by flags which types the file uses.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.progress import Progress

from edge.errors import BackendError, ModelError

SEVERITIES = {0: "internal error", 1: "error", 2: "warning"}


@dataclass(frozen=True)
class EngineSettings:
    """How to build. workspace_mb is a ceiling on scratch memory; optimisation_level 0-5 (None: the library's own).

    compute_capabilities are for `tensorrt_rtx` alone: empty means its portable default. timing_cache is read and
    written by `tensorrt` alone (in RTX it forces a GPU query). dla_core runs on that DLA what fits it (experimental).
    detailed keeps layer names and formats in the engine for `layers_of`.
    """

    workspace_mb: int = 1024
    optimisation_level: int | None = None
    compute_capabilities: tuple[int, ...] = ()
    timing_cache: Path | None = None
    dla_core: int | None = None
    detailed: bool = False


def engine_from_onnx(
    trt: ModuleType, path: Path, precision: str, settings: EngineSettings, progress: Progress | None = None
) -> bytes:
    """Build an engine and return its bytes.

    trt is the module that `open_library` gave, precision the file's ("fp32", "fp16", "int8"). Raises ModelError for a
    graph that the parser refuses, naming each node, and BackendError where a call fails, with the library's own words.
    """
    messages: list[str] = []
    logger = _logger(trt, messages)
    builder = trt.Builder(logger)
    creation = trt.NetworkDefinitionCreationFlag
    strongly_typed = hasattr(creation, "STRONGLY_TYPED")
    flag = creation.STRONGLY_TYPED if strongly_typed else creation.EXPLICIT_BATCH
    network = _made(builder.create_network(1 << int(flag)), "create_network", messages)
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(path)):
        raise ModelError(refusal_of(path, [parser.get_error(i) for i in range(parser.num_errors)]))
    config = _made(builder.create_builder_config(), "create_builder_config", messages)
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, settings.workspace_mb << 20)
    if settings.optimisation_level is not None:
        config.builder_optimization_level = settings.optimisation_level
    if settings.detailed:
        config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if not strongly_typed:
        _allow_types(trt, config, precision)
    if settings.dla_core is not None:
        _use_dla(trt, builder, config, settings.dla_core)
    if settings.compute_capabilities:
        _set_compute_capabilities(trt, config, settings.compute_capabilities, messages)
    cache = _open_timing_cache(trt, config, settings.timing_cache, messages)
    if progress is not None and hasattr(trt, "IProgressMonitor"):
        config.progress_monitor = _monitor(trt, progress)
    blob = bytes(_made(builder.build_serialized_network(network, config), "build_serialized_network", messages))
    if cache is not None and settings.timing_cache is not None:
        settings.timing_cache.write_bytes(bytes(cache.serialize()))
    return blob


REMEDIES = (
    ("INT32", "Q/DQ on a bias"),
    ("Non-zero zero point", "asymmetric activations"),
    ("shiftIsAllZeros", "asymmetric activations"),
    ("UINT8", "unsigned activations"),
)


def refusal_of(path: Path, errors: list[Any]) -> str:
    """What the ONNX parser refused, node by node, and the remedy."""
    lines = []
    found = ""
    for error in errors:
        words = " ".join(error.desc().split())
        node = error.node_name() if hasattr(error, "node_name") else f"number {error.node()}"
        operator = f" ({error.node_operator()})" if hasattr(error, "node_operator") else ""
        lines.append(f"  node {node}{operator}: {words}")
        found = found or next((why for sign, why in REMEDIES if sign.lower() in words.lower()), "")
    remedy = (
        f"it has {found}, the form for CPUs: give TensorRT the file that `echoedge compile --target orin` or rtx writes"
        if found
        else "export the model again with another --opset, or leave the operator out of the network"
    )
    return "\n".join([f"TensorRT cannot read {path}: {remedy}", *lines])


def layers_of(trt: ModuleType, blob: bytes) -> str:
    """The engine's layers as JSON. Needs the GPU that the engine was built for, and `detailed` for more than names."""
    messages: list[str] = []
    runtime = trt.Runtime(_logger(trt, messages))
    engine = _made(runtime.deserialize_cuda_engine(blob), "deserialize_cuda_engine", messages)
    inspector = _made(engine.create_engine_inspector(), "create_engine_inspector", messages)
    return str(inspector.get_engine_information(trt.LayerInformationFormat.JSON))


def _made(result: Any, call: str, messages: list[str]) -> Any:
    """The result of a call, or BackendError where it is None or False: TensorRT does not raise."""
    if result is None or result is False:
        raise BackendError("\n  ".join([f"TensorRT's {call} failed", *(messages or ["it gave no reason"])]))
    return result


def _logger(trt: ModuleType, messages: list[str]) -> Any:
    class Logger(trt.ILogger):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, text: str) -> None:
            if int(severity) in SEVERITIES:
                messages.append(f"{SEVERITIES[int(severity)]}: {' '.join(text.split())}")

    return Logger()


def _allow_types(trt: ModuleType, config: Any, precision: str) -> None:
    """TensorRT 8.6: let it use the narrow types that the file has; Q/DQ then places INT8, and the rest may be FP16."""
    if precision != "fp32":
        config.set_flag(trt.BuilderFlag.FP16)
    if precision == "int8":
        config.set_flag(trt.BuilderFlag.INT8)


def _use_dla(trt: ModuleType, builder: Any, config: Any, core: int) -> None:
    if builder.num_DLA_cores <= core:
        raise BackendError(f"DLA core {core} was asked for, this machine has {builder.num_DLA_cores}; leave --dla out")
    config.default_device_type = trt.DeviceType.DLA
    config.DLA_core = core
    config.set_flag(trt.BuilderFlag.GPU_FALLBACK)


def _set_compute_capabilities(trt: ModuleType, config: Any, numbers: tuple[int, ...], messages: list[str]) -> None:
    if not hasattr(config, "set_compute_capability"):
        raise BackendError("this TensorRT builds for its own GPU alone: leave --sm out, or use --library tensorrt_rtx")
    config.num_compute_capabilities = len(numbers)
    for index, number in enumerate(numbers):
        member = getattr(trt.ComputeCapability, f"SM{number}", None)
        _made(member is not None and config.set_compute_capability(member, index), f"target SM {number}", messages)


def _open_timing_cache(trt: ModuleType, config: Any, path: Path | None, messages: list[str]) -> Any:
    if path is None or trt.__name__ == "tensorrt_rtx":
        return None
    cache = _made(
        config.create_timing_cache(path.read_bytes() if path.exists() else b""), "create_timing_cache", messages
    )
    _made(config.set_timing_cache(cache, ignore_mismatch=False), "set_timing_cache", messages)
    return cache


def _monitor(trt: ModuleType, progress: Progress) -> Any:
    class Monitor(trt.IProgressMonitor):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.tasks: dict[str, Any] = {}

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            indent = "" if parent_phase is None else "  "
            self.tasks[phase_name] = progress.add_task(indent + phase_name, total=num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            progress.update(self.tasks[phase_name], completed=step)
            return True

        def phase_finish(self, phase_name: str) -> None:
            progress.remove_task(self.tasks.pop(phase_name))

    return Monitor()
