"""What became of a model at one precision, and which precision a target gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from compile.graphs import Graphs, file_of
from compile.score import Scores
from edge.nets.artefacts import PRECISIONS
from edge.nets.manifest import Gates, Manifest

Layer = tuple[str, str]
"""Task of the graph, name of the node."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A model at one precision, as judged.

    scores are of all graphs together. latency_ms is (p50, p90) of each graph by task, empty where nothing here runs it
    as its target will. methods: calibration method -> distance from FP32; sensitivity: layer -> the same with that
    layer alone in INT8, worst first. died says how the engine failed on it, "" where it ran; there are no scores then.
    """

    graphs: Graphs
    scores: Scores
    latency_ms: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    methods: Mapping[str, float] = field(default_factory=dict)
    sensitivity: Mapping[Layer, float] = field(default_factory=dict)
    died: str = ""

    @property
    def manifest(self) -> Manifest:
        """Of the first graph; name, precision, target, calibration and accuracy are those of all."""
        return next(iter(self.graphs.values()))[0]

    @property
    def files(self) -> str:
        """The names of its files."""
        return ", ".join(manifest.file for manifest, _ in self.graphs.values())

    @property
    def size_mb(self) -> float:
        """Of all its files."""
        return sum(file_of(artefact).stat().st_size for artefact in self.graphs.values()) / 1e6

    @property
    def float_nodes(self) -> tuple[str, ...]:
        """The layers that INT8 leaves in float since they cost the most accuracy."""
        return tuple(n for manifest, _ in self.graphs.values() for n in manifest.evidence.get("float_nodes", ()))

    def failures(self) -> list[str]:
        """Why it must not be used, each reason once; empty where it may."""
        return list(dict.fromkeys(f for manifest, _ in self.graphs.values() for f in manifest.gates.failures()))

    def with_gates(self, gates_of: Callable[[Manifest], Gates], **changes: object) -> Outcome:
        """The outcome with other gates in each manifest, and other `changes`."""
        graphs = {
            task: (msgspec.structs.replace(manifest, gates=gates_of(manifest)), path)
            for task, (manifest, path) in self.graphs.items()
        }
        return replace(self, graphs=graphs, **changes)  # type: ignore[arg-type]


def winner(outcomes: Sequence[Outcome]) -> Outcome:
    """The narrowest that failed no gate and, where its target is not this machine, needs no race to be chosen.

    INT8 for a GPU stays behind FP16 until it has been raced there.
    """
    for precision in PRECISIONS:
        for outcome in outcomes:
            proven = outcome.manifest.gates.speed is not None or precision != "int8"
            if outcome.manifest.precision == precision and proven and not outcome.failures():
                return outcome
    return outcomes[0]
