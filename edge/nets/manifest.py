"""What an artefact is, beside its file: one strict JSON document that `compile` writes and the runtime obeys."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from edge.errors import ModelError
from edge.nets.backends.base import states_of
from edge.nets.shelf import model_folder
from edge.nets.signature import verify_signature
from edge.preprocess import PreprocessSpec

SCHEMA = 1
VIEW_OUTPUT = "view"
"""Name of the classifier's output in a graph: float32 probabilities, 1 x 3 of a segmenter's views, 1 x 9 of a quality
net's planes."""
MIRRORED_OUTPUT, UPSIDE_DOWN_OUTPUT = "mirrored", "upside_down"
"""Names of a quality net's further outputs: 1 x 1 float32 probabilities."""


class Port(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A named input or output of a graph: shape, dtype and meaning in words."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    meaning: str


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One metric of one view: the reference's value, this artefact's, and by how much it may be worse (same unit)."""

    view: str
    metric: str
    reference: float
    value: float
    tolerance: float
    higher_is_better: bool = True

    @property
    def loss(self) -> float:
        """How much worse than the reference, negative where better."""
        return self.reference - self.value if self.higher_is_better else self.value - self.reference

    @property
    def passed(self) -> bool:
        """NaN fails: a metric that cannot be computed proves nothing."""
        return self.loss <= self.tolerance


class AccuracyGate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Task metrics on held-out data against the reference artefact, through the `backend` that ran both."""

    reference_sha256: str
    backend: str
    data: str
    frames: int
    changes: tuple[Change, ...]

    def failures(self) -> list[str]:
        """One phrase for each metric that fell too far."""
        return [
            f"{c.metric} of {c.view} is {c.value:.4g}, {c.loss:.4g} worse than {c.reference:.4g} "
            f"(allowed {c.tolerance:.4g})"
            for c in self.changes
            if not c.passed
        ]


class SpeedGate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Latency in ms of this artefact and of the faster wider one, run in turn `runs` times on `machine`."""

    reference_sha256: str
    backend: str
    machine: str
    runs: int
    p50_ms: float
    p90_ms: float
    reference_p50_ms: float
    reference_p90_ms: float

    def failures(self) -> list[str]:
        """One phrase where the artefact is not faster at p90."""
        if self.p90_ms < self.reference_p90_ms:
            return []
        return [f"p90 is {self.p90_ms:.2f} ms, no faster than the wider file's {self.reference_p90_ms:.2f} ms"]


class Gates(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an artefact had to prove; a gate that is None was not run."""

    accuracy: AccuracyGate | None = None
    speed: SpeedGate | None = None

    def failures(self) -> list[str]:
        """Why the artefact must not be used; empty where it may."""
        return [f for gate in (self.accuracy, self.speed) if gate is not None for f in gate.failures()]


class GreyLevels(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the calibration frames looked like: the mean share of sector pixels in each of `edge.nets.drift.BINS` grey
    bins.

    `threshold` is the distance from it, in grey levels, above which live frames are warned of (see `edge.nets.drift`).
    """

    histogram: tuple[float, ...]
    threshold: float


class EngineFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a compiled engine is tied to. Compute capabilities are written 86 for 8.6; `jetpack` is "" off Jetsons."""

    library: str
    version: str
    compute_capabilities: tuple[int, ...]
    jetpack: str
    settings: dict[str, Any]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One artefact.

    `task` is one of those in `edge.nets.artefacts`; `precision` "fp32", "fp16" or "int8"; `target` "any" or what reads
    the file ("cpu", "tensorrt", "engine"). `parent_sha256` names the file it was made from, `evidence` holds measured
    facts with the command that printed them; `engine` is set where `target` is "engine".
    """

    schema: int
    name: str
    task: str
    file: str
    sha256: str
    parent_sha256: str
    precision: str
    target: str
    preprocess: PreprocessSpec
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    classes: tuple[str, ...]
    calibration_sha256: str
    evidence: dict[str, Any]
    licence: str
    command: str
    commit: str
    gates: Gates = Gates()
    engine: EngineFacts | None = None
    grey_levels: GreyLevels | None = None

    @property
    def states(self) -> tuple[str, ...]:
        """Inputs that carry a recurrent network's memory: the backend feeds each with the output `NAME.next`."""
        return tuple(states_of((port.name for port in self.inputs), (port.name for port in self.outputs)))


def sha256_of(path: Path) -> str:
    """Hex digest of a file."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write indented JSON under a temporary name, then rename."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    os.replace(temporary, path)


def read_manifest(path: Path) -> Manifest:
    """Read one manifest. Raises ModelError for one that is missing, malformed or of another schema."""
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise ModelError(
            f"{path} is not a manifest of this version ({error}); export the model again with `echoedge export`"
        ) from error
    if manifest.schema != SCHEMA:
        raise ModelError(f"{path} has schema {manifest.schema}, this version reads {SCHEMA}; export the model again")
    return manifest


def find_manifests(model: str | Path) -> list[tuple[Manifest, Path]]:
    """Every manifest of a model, given by its folder or name, with its path. Raises ModelError where there is none."""
    folder = model_folder(model)
    found = [(read_manifest(path), path) for path in sorted(folder.glob("*.json"))]
    if not found:
        raise ModelError(f"{folder} holds no manifest (*.json); make one with `echoedge export`")
    return found


def verified_artefact(manifest: Manifest, path: Path) -> Path:
    """Path of the file that a manifest describes.

    Raises ModelError where it is missing, was changed, or is not signed by the trusted key where one is set.
    """
    verify_signature(path)
    artefact = path.with_name(manifest.file)
    if not artefact.is_file():
        raise ModelError(f"{artefact} is missing though {path.name} describes it; fetch the model folder again")
    found = sha256_of(artefact)
    if found != manifest.sha256:
        raise ModelError(
            f"{artefact} has sha256 {found[:12]}… but its manifest says {manifest.sha256[:12]}…: it was changed or "
            "damaged; fetch the model folder again, or export it anew"
        )
    return artefact


def check_engine(manifest: Manifest, version: str, compute_capability: int) -> None:
    """Raise ModelError, with the command that mends it, unless an engine was built for this library and GPU.

    version: the installed release of the engine's own library, "" without one; compute_capability: the GPU's, 87 for
    8.7. A plan is tied to the exact release of the library that built it.
    """
    facts = manifest.engine
    if facts is None:
        raise ModelError(f"{manifest.file} is not an engine; build one with `echoedge engine`")
    if facts.version == version and compute_capability in facts.compute_capabilities:
        return
    built_for = " and ".join(f"SM {c}" for c in facts.compute_capabilities)
    raise ModelError(
        f"{manifest.file} was built by {facts.library} {facts.version} for {built_for}, this machine has "
        f"{facts.library} {version or 'not installed'} and SM {compute_capability}: engines do not move between them; "
        f"{_remedy(manifest)}"
    )


def check_current(engine: Manifest, artefacts: Sequence[Manifest]) -> None:
    """Raise ModelError unless an engine was built from one of a folder's artefacts as they are now."""
    if engine.parent_sha256 in {artefact.sha256 for artefact in artefacts}:
        return
    raise ModelError(
        f"{engine.file} was built from a file with sha256 {engine.parent_sha256[:12]}…, which its folder no longer "
        f"holds: the model was changed since; {_remedy(engine)}"
    )


def _remedy(engine: Manifest) -> str:
    library = engine.engine.library if engine.engine else "tensorrt"
    return f"build it here with `echoedge engine MODEL --precision {engine.precision} --library {library}`"
