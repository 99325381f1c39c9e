"""The speed gate of INT8 engines: raced against the wider engine on the GPU that they were built for."""

from __future__ import annotations

from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from compile.gates import race, speed_gate
from edge.errors import ModelError
from edge.machine import machine_name
from edge.nets.backends.trt import TensorRtBackend, find_gpu
from edge.nets.engines import sort_engines
from edge.nets.manifest import SpeedGate, find_manifests, verified_artefact, write_manifest


def race_engines(folder: Path, task: str, rounds: int) -> SpeedGate:
    """Run a task's INT8 engine and its FP16 one (else FP32) in turn; write the gate into the INT8 engine's manifest.

    The runtime takes INT8 unasked only where this gate stands and was passed. Raises ModelError where one is missing.
    """
    engines = sort_engines(find_manifests(folder), task, find_gpu(), allow_failed_gate=True).current
    found = {manifest.precision: (manifest, path) for manifest, path in reversed(engines)}
    wider = next((precision for precision in ("fp16", "fp32") if precision in found), "")
    if "int8" not in found or not wider:
        raise ModelError(
            f"{folder} has {', '.join(sorted(found)) or 'no'} engines for this GPU, a race needs int8 and fp16: "
            "build both with `echoedge engine --precision`"
        )
    port = found["int8"][0].inputs[0]
    feed = {port.name: np.random.default_rng(0).integers(0, 256, port.shape, np.uint8)}
    with ExitStack() as stack:
        backends = {}
        for precision in (wider, "int8"):
            manifest, path = found[precision]
            assert manifest.engine is not None
            backend = TensorRtBackend(verified_artefact(manifest, path), manifest.engine.library)
            backends[precision] = stack.enter_context(closing(backend))
        times = race({name: partial(backend.infer, feed) for name, backend in backends.items()}, rounds)
    narrow, path = found["int8"]
    gate = speed_gate(
        times["int8"],
        times[wider],
        found[wider][0].sha256,
        f"{backends['int8'].name} {backends['int8'].version}",
        machine_name(),
        rounds,
    )
    write_manifest(msgspec.structs.replace(narrow, gates=msgspec.structs.replace(narrow.gates, speed=gate)), path)
    path.with_suffix(".sig").unlink(missing_ok=True)  # the manifest is another now
    return gate
