"""The figures of docs/results.md. The only file that reaches matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.errors import MissingExtraError
from train.ef import agreement

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Curve = Sequence[float]
DPI = 120


def new_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure. Raises MissingExtraError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("drawing figures", "train") from error
    return Figure((width_in, height_in), dpi=DPI, layout="constrained")


def save(figure: Figure, path: Path) -> None:
    """Write a PNG that names no date or version, so that the same figures give the same file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})


def bland_altman(path: Path, groups: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]], title: str) -> None:
    """One panel a group of (found, reference) EF in percent: difference over mean, with bias and limits of agreement."""
    figure = new_figure(4.8 * len(groups), 3.8)
    panels = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
    for panel, (name, (found, reference)) in zip(panels, groups.items()):
        fit = agreement(found, reference)
        panel.scatter((found + reference) / 2, found - reference, s=14, alpha=0.7)
        for level, style in ((fit.bias, "-"), (fit.low, "--"), (fit.high, "--")):
            panel.axhline(level, linestyle=style, color="0.3", linewidth=1)
        panel.set_title(
            f"{name}: n {fit.n}, r {fit.r:.2f}, bias {fit.bias:+.1f}, limits {fit.low:.1f} to {fit.high:.1f}",
            fontsize=9,
        )
        panel.set_xlabel("mean of found and reference EF (%)")
    panels[0].set_ylabel("found - reference EF (%)")
    figure.suptitle(title, fontsize=10)
    save(figure, path)


def convergence(path: Path, panels: Mapping[str, Mapping[str, tuple[Curve, Curve]]], title: str) -> None:
    """One column a panel, each with named (training loss, validation mIoU) curves by epoch: loss above, mIoU below."""
    figure = new_figure(3.6 * len(panels), 5.2)
    axes = figure.subplots(2, len(panels), squeeze=False, sharex="col", sharey="row")
    for column, (name, curves) in enumerate(panels.items()):
        for label, (losses, mious) in curves.items():
            axes[0, column].plot(range(1, len(losses) + 1), losses, marker=".", label=label)
            axes[1, column].plot(range(1, len(mious) + 1), mious, marker=".", label=label)
        axes[0, column].set_title(name, fontsize=9)
        if curves:
            axes[0, column].legend(fontsize=7)
        axes[1, column].set_xlabel("epoch")
    axes[0, 0].set_ylabel("training loss")
    axes[1, 0].set_ylabel("validation mIoU")
    figure.suptitle(title, fontsize=10)
    save(figure, path)


def cycle(path: Path, rows: Mapping[str, Mapping[str, Curve]], title: str) -> None:
    """One panel a metric: row -> its mean along the cardiac cycle, from ED to ED. NaN or None leaves a gap."""
    metrics = list(next(iter(rows.values())))
    figure = new_figure(3.4 * len(metrics), 3.4)
    panels = figure.subplots(1, len(metrics), squeeze=False)[0]
    for panel, metric in zip(panels, metrics):
        for name, curves in rows.items():
            values = np.array(curves[metric], np.float64)
            panel.plot((np.arange(len(values)) + 0.5) / len(values), values, marker=".", label=name)
        panel.set_title(metric, fontsize=9)
        panel.set_xlabel("share of the beat")
    panels[0].legend(fontsize=7)
    figure.suptitle(title, fontsize=10)
    save(figure, path)


def compared_bars(path: Path, rows: Mapping[str, Mapping[str, tuple[float, float]]], title: str) -> None:
    """One panel a metric: row -> (paper's, ours) as horizontal bars."""
    figure = new_figure(4.2 * len(rows), 6.0)
    panels = figure.subplots(1, len(rows), sharey=True, squeeze=False)[0]
    for panel, (metric, values) in zip(panels, rows.items()):
        place = np.arange(len(values))
        for offset, index, label in ((-0.2, 0, "paper"), (0.2, 1, "here")):
            panel.barh(place + offset, [pair[index] for pair in values.values()], 0.4, label=label)
        panel.set_title(metric, fontsize=9)
        panel.set_xlim(left=0)
    panels[0].set_yticks(np.arange(len(values)), list(values), fontsize=8)
    panels[0].invert_yaxis()
    panels[0].legend(fontsize=8, loc="lower left")
    figure.suptitle(title, fontsize=10)
    save(figure, path)
