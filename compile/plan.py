"""What a compilation is to make for a target, and how strictly it is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from compile.gates import TOLERANCES
from edge.nets.backends import installed_backend


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The target ("cpu", "orin", "rtx") and the precisions beside FP32.

    backend scores what is made. method is one of `compile.quantize.ranges.METHODS`, or "auto": the nearest to FP32.
    rounds are runs of the race; ranks_layers asks for every layer's sensitivity, not only where a gate fails.
    """

    target: str
    precisions: tuple[str, ...]
    backend: str
    method: str = "auto"
    tolerances: Mapping[str, float] = field(default_factory=lambda: dict(TOLERANCES))
    rounds: int = 100
    threads: int | None = None
    ranks_layers: bool = False
    command: str = ""

    @property
    def form(self) -> str:
        """Which Q/DQ form the target reads."""
        return "cpu" if self.target == "cpu" else "tensorrt"


def judging_backend(target: str, wanted: str) -> str:
    """The engine that scores artefacts: the CPU's own for `cpu`, ONNX Runtime for files that TensorRT will read.

    OpenVINO reads symmetric Q/DQ with other roundings, so it does not judge them.
    """
    if target != "cpu":
        return "onnxruntime"
    return installed_backend(wanted)
