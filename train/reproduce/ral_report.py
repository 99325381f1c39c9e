"""Tables 2-4 of the RAL paper beside what was measured, as a section of a Markdown file, with figure 5."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edge.tables import markdown_table
from train.figures import bland_altman, cycle
from train.reproduce.ral_rows import TABLE_2, TABLE_3, TABLE_4, Row
from train.results import replace_section

HEADINGS = [
    "row",
    "accuracy paper",
    "accuracy",
    "Dice paper",
    "Dice",
    "HD paper",
    "HD mm",
    "MAD paper",
    "MAD mm",
    "view paper",
    "view",
    "flicker %",
    "parameters (M)",
]
Results = Mapping[str, Mapping[str, Any]]


def write_report(
    path: Path, scale: str, settings: Mapping[str, Any], results: Results, volumes: Mapping[str, Mapping[str, Any]]
) -> None:
    """Write the section of Markdown file `path` and figure 5 into `figures` beside it."""
    full = results["full"]
    figures = path.parent / "figures"
    cycle(
        figures / "ral-cycle.png",
        {n: r["cycle"] for n, r in results.items() if "cycle" in r},
        f"Figure 5, scale {scale}",
    )
    lines = ["![Figure 5, left](figures/ral-cycle.png)"]
    pairs = np.array(full["volumes"], np.float64).reshape(-1, 6)
    if len(pairs) > 1:
        bland_altman(
            figures / "ral-ef.png",
            {"RAL": (pairs[:, 2], pairs[:, 5])},
            f"Figure 5: EF of synthetic clips, scale {scale}",
        )
        lines += ["", "![Figure 5, right](figures/ral-ef.png)"]
    used = settings["scale"]
    text = [
        "## RAL, tables 2 to 4 and figure 5",
        "",
        f"`echoedge reproduce ral --scale {scale} --seed {settings['seed']}` on {full['machine']}: {used['net']} at "
        f"{used['size']} px, {used['training_loops']} synthetic training clips of {used['clip_frames']} frames, "
        f"{used['epochs']} epochs, {used['held_out_loops']} other loops, one whole beat each, to measure on; weights "
        "of the last epoch; four classes, figures of the left ventricle.",
        "",
        "The paper's figures are of its own 300 recordings (tables 2 and 3), which nobody else has, and of CAMUS "
        "(table 4), without whole beats: only the order of the rows can be compared. Flicker, the mean |change of "
        "area - true change| from frame to frame as a share of the mean true area, is not the paper's.",
        "",
        "Table 2: parts switched off. Table 3: other networks on the same clips.",
        "",
        markdown_table(
            HEADINGS, [_cells(row, results[row.name]) for row in (*TABLE_2, *TABLE_3) if row.name in results]
        ),
        "",
        "Table 4: correlation, bias and mean absolute error of the single-plane volumes of exact contours.",
        "",
        markdown_table(
            ["row", *(f"{q} {k}" for q in ("EDV ml", "ESV ml", "EF %") for k in ("paper", "here"))],
            [_volume_cells(name, volumes.get(name, {})) for name in TABLE_4],
        ),
        "",
        *lines,
    ]
    replace_section(path, "ral", "\n".join(text))


def _cells(row: Row, result: Mapping[str, Any]) -> list[str]:
    paper = [f"{row.paper[0]:.3f}", f"{row.paper[1]:.3f}", f"{row.paper[2]:.2f}", f"{row.paper[3]:.2f}"]
    paper_view = "-" if row.paper[4] is None else f"{row.paper[4]:.3f}"
    if "not_run" in result:
        here = [f"not run: {result['not_run']}", "", "", ""]
        return [row.name, *(cell for pair in zip(paper, here) for cell in pair), paper_view, "", "", ""]
    here = [
        f"{_number(result[name][0], digits)} ± {_number(result[name][1], digits)}"
        for name, digits in (("accuracy", 3), ("dice", 3), ("hd", 2), ("mad", 2))
    ]
    return [
        row.name,
        *(cell for pair in zip(paper, here) for cell in pair),
        paper_view,
        _number(result["view"], 3),
        _number(None if result["flicker"] is None else 100 * result["flicker"], 2),
        f"{result['parameters'] / 1e6:.2f}",
    ]


def _volume_cells(name: str, found: Mapping[str, Mapping[str, float]]) -> list[str]:
    cells = [name]
    for paper, quantity in zip(TABLE_4[name], ("EDV", "ESV", "EF")):
        cells.append(f"{paper[0]:.3f}, {paper[1]:+.1f}, {paper[2]:.1f}")
        fit = found.get(quantity)
        cells.append(f"{fit['r']:.3f}, {fit['bias']:+.1f}, {fit['mae']:.1f} (n {fit['n']})" if fit else "-")
    return cells


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
