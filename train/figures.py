"""The figures of docs/results.md. The only file that reaches matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError, MissingExtraError
from train.evaluate.ef import agreement

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Curve = Sequence[float]
DPI = 120


def new_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure. Raises MissingExtraError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingExtraError("drawing figures", "train") from error
    return Figure((width_in, height_in), dpi=DPI, layout="constrained")


def save(figure: Figure, path: Path) -> None:
    """Write a PNG that names no date or version, so that the same figures give the same file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})


def bland_altman(path: Path, groups: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]], title: str) -> None:
    """One panel a group of (found, reference) EF in percent: difference over mean, with bias and limits of
    agreement.
    """
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


def label_boxes(path: Path, panels: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]], title: str) -> None:
    """One panel a method of (scores, labels), each N x 8: box plots of score by label (quality paper, figure 4)."""
    figure = new_figure(2.9 * len(panels), 3.6)
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, (name, (scores, labels)) in zip(axes, panels.items()):
        known = np.isfinite(scores) & np.isfinite(labels)
        level = np.round(labels[known])
        groups = [scores[known][level == k] for k in range(1, 6)]
        axis.boxplot([g if len(g) else [np.nan] for g in groups], positions=range(1, 6), widths=0.6, showfliers=False)
        axis.plot((1, 5), (1, 5), linestyle=":", color="0.5", linewidth=1)
        axis.set_title(name, fontsize=9)
        axis.set_xlabel("label (1 not visible, 5 excellent)", fontsize=8)
    axes[0].set_ylabel("score")
    figure.suptitle(title, fontsize=10)
    save(figure, path)


def error_steps_bars(path: Path, shares: Mapping[str, Sequence[float]], title: str) -> None:
    """Method -> share of score differences of 0, 1, … levels, as grouped bars (quality paper, figure 6)."""
    figure = new_figure(6.0, 3.6)
    axis = figure.subplots()
    width = 0.8 / len(shares)
    for place, (name, values) in enumerate(shares.items()):
        axis.bar(np.arange(len(values)) + (place - (len(shares) - 1) / 2) * width, values, width, label=name)
    axis.set_xlabel("difference in levels")
    axis.set_ylabel("share of regions")
    axis.legend(fontsize=8)
    figure.suptitle(title, fontsize=10)
    save(figure, path)


def quality_boxes(path: Path, views: Mapping[str, Any], title: str) -> None:
    """One panel a view of `train.evaluate.relation.relation`: box plots of the EF difference by third of quality
    (figure 7).
    """
    shown = {view: part["ef"] for view, part in views.items() if "ef" in part}
    if not shown:
        raise DataError("no view has EF at both phases for enough patients to draw")
    figure = new_figure(4.2 * len(shown), 3.8)
    axes = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for axis, (view, ef) in zip(axes, shown.items()):
        order = np.argsort(ef["quality"], kind="stable")
        parts = np.array_split(np.asarray(ef["difference"])[order], len(ef["groups"]))
        axis.boxplot(parts, positions=range(len(parts)), widths=0.5)
        names = [
            f"{g}\n{row['from']:.2f}-{row['to']:.2f}\nSD {np.std(d, ddof=1):.1f}"
            for (g, row), d in zip(ef["groups"].items(), parts)
        ]
        axis.set_xticks(range(len(parts)), names, fontsize=8)
        axis.axhline(0, color="0.6", linewidth=1)
        axis.set_title(view, fontsize=9)
        axis.set_xlabel("predicted quality")
    axes[0].set_ylabel("found - reference EF (%)")
    figure.suptitle(title, fontsize=10)
    save(figure, path)


def region_pictures(
    path: Path, rows: Mapping[str, Sequence[NDArray[np.uint8]]], headings: Sequence[str], title: str
) -> None:
    """One row a method, one column a frame, each HxWx3 RGB uint8 (quality paper, figure 5)."""
    columns = len(headings)
    figure = new_figure(2.0 * columns, 2.0 * len(rows) + 0.5)
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for line, (name, pictures) in zip(axes, rows.items()):
        for axis, picture in zip(line, pictures):
            axis.imshow(picture)
            axis.set_xticks([])
            axis.set_yticks([])
        line[0].set_ylabel(name, fontsize=9)
    for axis, heading in zip(axes[0], headings):
        axis.set_title(heading, fontsize=8)
    figure.suptitle(title, fontsize=10)
    save(figure, path)
