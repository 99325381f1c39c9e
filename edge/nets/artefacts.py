"""Which artefact of a model folder? The one answer that the runtime, the compiler and the benchmarks give."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge.errors import ModelError
from edge.nets.manifest import Manifest
from edge.nets.shelf import how_to_get

Found = tuple[Manifest, Path]
"""A manifest and its path, as `edge.nets.manifest.find_manifests` lists them."""
SEGMENTATION, QUALITY = "segmentation", "quality"
ENCODER, DENOISER = "refine-encoder", "refine-denoiser"
"""Tasks: a folder holds one network, or the two graphs of a refining model."""
PRECISIONS = ("int8", "fp16", "fp32")
"""The narrowest first."""
READS = {"any": ("any",), "cpu": ("any", "cpu"), "tensorrt": ("any", "tensorrt")}
"""Target -> the manifests' targets that it reads. "any" is the reference that the others are made from."""
UNASKED = {"any": ("fp32",), "cpu": PRECISIONS, "tensorrt": ("fp16", "fp32")}
"""Target -> the precisions that "auto" takes, best first: on a GPU, INT8 has to win a race before it is chosen."""


def tasks_of(found: Sequence[Found]) -> tuple[str, ...]:
    """The tasks that a folder's manifests are for, sorted."""
    return tuple(sorted({manifest.task for manifest, _ in found}))


def readable(found: Sequence[Found], task: str, target: str) -> dict[str, Found]:
    """Precision -> the artefact of a task that a target ("any", "cpu", "tensorrt") reads, whatever its gates say.

    A file made for the target goes before one that every target reads.
    """
    targets = READS[target]
    fitting = [pair for pair in found if pair[0].task == task and pair[0].target in targets]
    return {pair[0].precision: pair for pair in sorted(fitting, key=lambda pair: targets.index(pair[0].target))}


def usable(
    found: Sequence[Found], task: str, precision: str, target: str, allow_failed_gate: bool = False
) -> list[Found]:
    """The artefacts of `readable` at a precision, or at any that "auto" takes, that failed no gate; best first."""
    there = readable(found, task, target)
    wanted = UNASKED[target] if precision == "auto" else (precision,)
    return [there[p] for p in wanted if p in there and (allow_failed_gate or not there[p][0].gates.failures())]


def choose(found: Sequence[Found], task: str, precision: str, target: str, allow_failed_gate: bool = False) -> Found:
    """The artefact of a task that a target runs.

    precision: "auto" or one of PRECISIONS. Raises ModelError where there is none, or where each failed a gate.
    """
    chosen = usable(found, task, precision, target, allow_failed_gate)
    if chosen:
        return chosen[0]
    folder = found[0][1].parent
    there = readable(found, task, target)
    refused = usable(found, task, precision, target, allow_failed_gate=True)
    if refused:
        manifest, path = refused[0]
        raise ModelError(
            f"{path.with_name(manifest.file)} failed a gate: {'; '.join(manifest.gates.failures())}. "
            "Use another --precision, compile it again, or take it all the same with --allow-failed-gate"
        )
    if target == "any" and task in tasks_of(found):
        raise ModelError(f"{folder} has no fp32 file of {task}; make it with `echoedge export`")
    if there:
        named = "orin" if target == "tensorrt" else "cpu"
        wanted = "fp32 or fp16" if precision == "auto" else precision
        raise ModelError(
            f"{folder} has no {wanted} file of {task} for the target {target}, only {', '.join(sorted(there))}; "
            + (how_to_get(folder, wanted) or f"make it with `echoedge compile {folder} --target {named}`")
        )
    held = ", ".join(tasks_of(found))
    raise ModelError(
        f"{folder} holds no file of {task} for the target {target}; it is for {held}. "
        "Give the folder of another model, or make the file with `echoedge export`"
    )
