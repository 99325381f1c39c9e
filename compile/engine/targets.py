"""Which GPU an engine may be built for from here, and the command for those that must build their own."""

from __future__ import annotations

from collections.abc import Sequence

from edge.errors import BackendError

PORTABLE = {75: "Turing", 80: "A100", 86: "Ampere RTX", 89: "Ada RTX", 120: "Blackwell RTX", 121: "GB10"}
"""Compute capabilities that TensorRT for RTX builds for on any machine, without a GPU."""
ON_DEVICE = {72: "Jetson Xavier", 87: "Jetson Orin", 90: "Hopper", 100: "B200", 103: "B300", 110: "Jetson Thor"}
"""Those whose engines only TensorRT on a machine with that GPU can build."""
DEFAULT_RTX = (86, 89, 120)


def check_buildable(library: str, wanted: Sequence[int], local: int | None, command: str) -> None:
    """Raise BackendError, with `command` to run on the device, for a GPU that cannot be built for from this machine.

    wanted: compute capabilities (87 for 8.7); local: this machine's, None without a GPU.
    """
    for number in wanted:
        name = {**PORTABLE, **ON_DEVICE}.get(number)
        if name is None:
            known = ", ".join(str(n) for n in sorted({**PORTABLE, **ON_DEVICE}))
            raise BackendError(
                f"SM {number} is not a compute capability that this version knows; choose one of {known}"
            )
        if library == "tensorrt" and number != local:
            here = f"SM {local}" if local else "no NVIDIA GPU"
            portable = " or build with --library tensorrt_rtx" if number in PORTABLE else ""
            raise BackendError(
                f"TensorRT builds only for the GPU it runs on, this machine has {here}: "
                f"run on the {name} (SM {number})\n  {command}{portable}"
            )
        if library == "tensorrt_rtx" and number not in PORTABLE:
            raise BackendError(
                f"TensorRT for RTX has no SM {number} ({name}): "
                f"run on that device, which needs TensorRT itself\n  {command}"
            )
