"""The regional-quality tables beside the paper's figures as a section of a Markdown file, with their drawings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edge.tables import markdown_table
from train.figures import label_boxes, region_pictures
from train.quality.methods import COHERENCE, END_TO_END, METHODS
from train.reproduce.quality_rows import PAPER_COHERENCE, PAPER_SPEARMAN
from train.reproduce.quality_study import Table4
from train.results import replace_section

SECTION = "quality-table4"
SETS = {
    "synthetic": "synthetic echo, exact labels",
    "injected": "real frames of held-out patients, injected degradation",
    "experts": "experts' labels",
}
BOXED = ("intensity", "gCNR", COHERENCE, END_TO_END)
ORDER = (("gCNR", COHERENCE), (COHERENCE, END_TO_END))


def write_report(path: Path, scale: str, table: Table4, rows: dict[str, dict[str, Any]]) -> str:
    """Write the section of Markdown file `path` and return it.

    Figures of synthetic frames go into `figures` beside it. Those of real frames stay in the run's own folder, since
    their licence forbids handing them on.
    """
    figures = path.parent / "figures"
    for name in SETS:
        if name in rows:
            with np.load(table.folder / f"{name}.npz") as stored:
                panels = {m: (stored[m], stored["labels"]) for m in BOXED}
            label_boxes(
                figures / f"quality-{name}.png", panels, f"Figure 4 of the paper, here on {SETS[name]}, scale {scale}"
            )
    pictures, headings = table.picture_rows(table.synthetic_test, "synthetic")
    region_pictures(figures / "quality-regions.png", pictures, headings, "Six synthetic frames, good to poor")
    if "injected" in rows:
        pictures, headings = table.picture_rows(table.injected_test, "injected")
        region_pictures(
            table.folder / "real-regions.png", pictures, headings, "Six held-out frames, good to poor; do not pass on"
        )
    text = section(scale, rows)
    replace_section(path, SECTION, text)
    return text


def section(scale: str, rows: dict[str, dict[str, Any]]) -> str:
    """The Markdown of the section."""
    settings = next(iter(rows.values()))["settings"]
    amounts = settings["scale"]
    trained = (
        "a checkpoint that was given"
        if settings["quality"]
        else (
            f"trained here for {amounts['epochs']} epochs on {amounts['real_frames'] or 'all'} real frames and "
            f"{amounts['synthetic_loops']} synthetic loops"
        )
    )
    lines = [
        "## Regional quality, table 4",
        "",
        f"`echoedge reproduce quality-table4 --scale {scale}`, seed {settings['seed']}, data: "
        f"{', '.join(['synthetic echo', *settings['data']])}; {rows['coherence']['machine']}. End-to-end network: "
        f"{trained}. The paper's figures are against three cardiologists' labels, which are not public: read the "
        "order of the methods, not the distance to the paper. Lines from metrics to labels are fitted on training "
        "data of the same kind. Gamma: mean movement of a score when the display's gamma is 0.9 or 1.1, the larger of "
        "both.",
        "",
    ]
    for name, title in SETS.items():
        if name in rows:
            lines += [*labelled(rows[name], title), "", f"![Scores by label](figures/quality-{name}.png)", ""]
    if "grades" in rows:
        lines += [*graded(rows["grades"]), ""]
    lines += [*coherence(rows["coherence"]), ""]
    variants = [row for name, row in rows.items() if name.startswith("ablation")]
    if variants:
        lines += [*ablation(variants), ""]
    return "\n".join([*lines, "![Regions coloured by each method](figures/quality-regions.png)"])


def labelled(row: dict[str, Any], title: str) -> list[str]:
    """Table 4 of one test set, and whether the methods' order is the paper's."""
    table = markdown_table(
        ["method", "Spearman (95 %)", "paper", "MAE", "accuracy", "gamma"],
        [
            [
                name,
                f"{fit['spearman']:.3f} ({fit['ci95'][0]:.3f}-{fit['ci95'][1]:.3f})",
                f"{PAPER_SPEARMAN[name]:.2f}" if name in PAPER_SPEARMAN else "",
                f"{fit['mae']:.2f}",
                f"{fit['accuracy']:.2f}",
                f"{fit['gamma_shift']:.2f}",
            ]
            for name in METHODS
            for fit in [row["methods"][name]]
        ],
    )
    said = []
    for worse, better in ORDER:
        a, b = (row["methods"][m]["spearman"] for m in (worse, better))
        said.append(f"{better} {'beats' if b > a else 'does not beat'} {worse}")
    p = ", ".join(f"{pair} p {value:.2g}" for pair, value in row["wilcoxon_p"].items())
    return [
        f"### On {title}",
        "",
        f"{row['frames']} frames of {row['patients']} patients.",
        "",
        table,
        "",
        f"By rank correlation {' and '.join(said)}. Wilcoxon on each patient's mean absolute error: {p}.",
    ]


def graded(row: dict[str, Any]) -> list[str]:
    """Mean scores by CAMUS's grade."""
    grades = list(next(iter(row["held out"]["methods"].values()))["means"])
    body = [
        [
            side,
            method,
            *(f"{fit['means'].get(g, float('nan')):.2f}" for g in grades),
            ", ".join(f"{pair} {p:.2g}" for pair, p in fit["p"].items()),
        ]
        for side, part in row.items()
        if side in ("held out", "all")
        for method, fit in part["methods"].items()
    ]
    counts = "; ".join(
        f"{side}: " + ", ".join(f"{count} {grade}" for grade, count in row[side]["patients"].items())
        for side in ("held out", "all")
    )
    return [
        "### By CAMUS's grade of the two-chamber recording",
        "",
        f'Frames as they are. Patients, {counts}. "All" holds training patients too; the grade was never trained on.',
        "",
        markdown_table(["patients", "method", *grades, "one-sided Mann-Whitney p"], body),
    ]


def coherence(row: dict[str, Any]) -> list[str]:
    """Table 3."""
    return [
        "### Coherence network, table 3",
        "",
        f"{row['frames']} synthetic frames of held-out hearts: SSIM {row['ssim']:.3f} over the whole picture "
        f"({row['ssim_sector']:.3f} inside the sector), RPE {100 * row['rpe']:.1f} %, PSNR {row['psnr']:.1f} dB. The "
        f"paper, on channel data: {PAPER_COHERENCE['ssim']}, {100 * PAPER_COHERENCE['rpe']:.1f} %, "
        f"{PAPER_COHERENCE['psnr']} dB.",
    ]


def ablation(rows: list[dict[str, Any]]) -> list[str]:
    """Tables 8 and 9."""
    sets = [name for name in SETS if name in rows[0]]
    body = [
        [*row["variant"].values(), *(f"{row[name][key]:.3f}" for name in sets for key in ("spearman", "mae"))]
        for row in rows
    ]
    headings = ["backbone", "head", "attention", *(f"{name} {key}" for name in sets for key in ("Spearman", "MAE"))]
    return ["### End-to-end network, appendix B", "", markdown_table(headings, body)]
