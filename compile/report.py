"""The HTML report of a compilation: outcomes, sensitive layers, activation histograms, where masks differ."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import partial
from html import escape
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.feed import Inputs, spread
from compile.apart import apart
from compile.graphs import Files, files_of, outputs_of
from compile.outcome import Outcome
from compile.plan import Plan
from compile.quantize.model import ModelQuantizer
from compile.quantize.ranges import METHODS, clip_range
from edge.nets.artefacts import SEGMENTATION
from edge.picture import svg

SHOWN_LAYERS, SHOWN_TENSORS, SHOWN_FRAMES = 20, 6, 6
COMPARED = 128
"""Calibration frames of which those with the most differences are shown."""


def write_report(
    path: Path, outcomes: Sequence[Outcome], best: Outcome, quantizer: ModelQuantizer | None, plan: Plan
) -> None:
    """Write the report of a plan's outcomes; nothing in it is fetched from a network."""
    first = outcomes[0]
    int8 = next((o for o in outcomes if o.manifest.precision == "int8"), None)
    parts = [f"<p><code>{escape(plan.command)}</code></p>", _outcomes(outcomes, best), _proof(outcomes)]
    if int8 is not None and not int8.died and quantizer is not None:
        parts.append("<h2>Calibration methods: distance from FP32</h2>")
        used = int8.manifest.evidence["calibration"]
        labels = [f"{name} (used)" if name == used else name for name in int8.methods]
        parts.append(svg.bars(labels, list(int8.methods.values()), "{:.4f}"))
        parts.append(_layers(int8))
        parts.append(_histograms(quantizer, int8, plan))
        if SEGMENTATION in first.graphs:
            parts.append(_differences(first, int8, spread(quantizer.feeds[SEGMENTATION], COMPARED), plan.backend))
    path.write_text(svg.page(f"{first.manifest.name} for {plan.target}", "".join(parts)))


def _outcomes(outcomes: Sequence[Outcome], best: Outcome) -> str:
    keys = list(outcomes[0].scores)
    rows = []
    for outcome in outcomes:
        pairs = zip(*outcome.latency_ms.values()) if outcome.latency_ms else ()
        times = [" + ".join(f"{t:.2f}" for t in column) for column in pairs] or ["not run", "not run"]
        failures = outcome.died or "; ".join(outcome.failures())
        verdict = "chosen" if outcome is best else failures or "passes"
        scores = ["-" if outcome.died or np.isnan(outcome.scores[k]) else f"{outcome.scores[k]:.4f}" for k in keys]
        rows.append([outcome.manifest.precision, f"{outcome.size_mb:.2f}", *scores, *times, verdict])
    headings = ["precision", "MB", *(f"{metric} {view}" for view, metric in keys), "p50 ms", "p90 ms", "verdict"]
    return svg.table(headings, rows)


def _proof(outcomes: Sequence[Outcome]) -> str:
    """On what data, engine and machine the gates stand."""
    gates = next(o for o in reversed(outcomes) if not o.died).manifest.gates
    words = []
    if gates.accuracy is not None:
        accuracy = gates.accuracy
        words.append(f"Accuracy: {accuracy.data}, {accuracy.frames} frames, {accuracy.backend}.")
    if gates.speed is not None:
        words.append(f"Speed: {gates.speed.machine}, {gates.speed.runs} rounds in turn.")
    return f"<p>{escape(' '.join(words))}</p>"


def _layers(outcome: Outcome) -> str:
    worst = list(outcome.sensitivity.items())[:SHOWN_LAYERS]
    labels = [f"{name}{' (float)' if name in outcome.float_nodes else ''}" for (_, name), _ in worst]
    return "<h2>Sensitivity: distance from FP32 with this layer alone in INT8</h2>" + svg.bars(
        labels, [value for _, value in worst], "{:.5f}"
    )


def _histograms(quantizer: ModelQuantizer, outcome: Outcome, plan: Plan) -> str:
    """|x| at the inputs of the most sensitive layers, with the thresholds of each method."""
    symmetric = plan.form == "tensorrt"
    parts = ["<h2>Activations at the most sensitive layers' inputs, |x|, square root of counts</h2>"]
    for task, layer in list(outcome.sensitivity)[:SHOWN_TENSORS]:
        graph = quantizer.graphs[task]
        node = next(node for node in graph.model.graph.node if node.name == layer)
        observed = graph.observed.get(node.input[0])
        if observed is None:
            continue
        marks = [(m, max(np.abs(clip_range(observed, m, symmetric)))) for m in METHODS]
        counts = np.sqrt(observed.counts.reshape(128, -1).sum(1)).tolist()
        parts.append(f"<h3>{escape(layer)}</h3>{svg.histogram(counts, 0, observed.magnitude, marks)}")
    return "".join(parts)


def _masks(first: Outcome, files: Files, backend: str, runs: Sequence[Inputs]) -> list[NDArray[np.generic]]:
    return apart(partial(outputs_of, first.graphs, files, backend, runs), files[SEGMENTATION], backend)


def _differences(first: Outcome, int8: Outcome, runs: Sequence[Inputs], backend: str) -> str:
    """Frames whose masks differ most: FP32's outlines in white, pixels of another class in INT8 in red."""
    name = first.manifest.inputs[0].name
    wide, narrow = (_masks(first, files_of(outcome.graphs), backend, runs) for outcome in (first, int8))
    shares = [float((a != b).mean()) for a, b in zip(wide, narrow)]
    parts = ["<h2>Where INT8 differs from FP32 (red; the frames with the most pixels)</h2>"]
    for index in np.argsort(shares)[::-1][:SHOWN_FRAMES]:
        picture = cv2.cvtColor(runs[index][name][0, 0], cv2.COLOR_GRAY2BGR)
        mask = np.asarray(wide[index][0], np.uint8)
        borders = mask != cv2.erode(mask, np.ones((3, 3), np.uint8))
        picture[borders] = (255, 255, 255)
        picture[wide[index][0] != narrow[index][0]] = (40, 40, 230)
        png = cv2.imencode(".png", picture)[1].tobytes()
        source = base64.b64encode(png).decode()
        parts.append(
            f'<figure style="display:inline-block;margin:.3rem"><img width="280" alt="difference of masks" '
            f'src="data:image/png;base64,{source}">'
            f"<figcaption>{shares[index] * 100:.2f} % of pixels</figcaption></figure>"
        )
    return "".join(parts)
