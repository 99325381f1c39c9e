"""Table 1 beside the paper's figures as a section of a Markdown file, with its two drawings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge.tables import markdown_table
from train.figures import compared_bars, convergence
from train.reproduce.pspnet_rows import FIGURES, ROWS
from train.results import replace_section

HEADINGS = [
    "row",
    "Dice paper",
    "Dice",
    "HD paper",
    "HD mm",
    "HD95 mm",
    "HD px at 473",
    "mIoU paper",
    "mIoU",
    "time paper (s)",
    "time an image (ms)",
    "epochs",
    "seed",
    "data",
    "machine",
]


def write_report(path: Path, scale: str, settings: dict[str, Any], results: list[dict[str, Any]]) -> None:
    """Write the section of Markdown file `path` and, into `figures` beside it, bars and convergence curves."""
    by_name = {result["name"]: result for result in results}
    figures = path.parent / "figures"
    done = {r.name: (r, by_name[r.name]) for r in ROWS if "not_run" not in by_name.get(r.name, {"not_run": ""})}
    kind = " and ".join(settings["data"])
    bars = {
        "Dice": {name: (row.paper[0], result["dice"]) for name, (row, result) in done.items() if row.paper},
        "mIoU": {name: (row.paper[2], result["miou"]) for name, (row, result) in done.items() if row.paper},
    }
    compared_bars(figures / "pspnet-table1.png", bars, f"Table 1 of the paper (CETUS) and here ({kind}, scale {scale})")
    panels = {
        figure: {
            f"{name}, {result['epochs']} epochs": (column(result, "loss"), column(result, "miou"))
            for name in names
            if "not_run" not in (result := by_name.get(name, {"not_run": ""}))
        }
        for figure, names in FIGURES.items()
    }
    convergence(figures / "pspnet-convergence.png", panels, f"Figures 7-10 of the paper, here on {kind}, scale {scale}")
    replace_section(path, "pspnet-table1", section(scale, settings, by_name))


def column(result: dict[str, Any], key: str) -> list[float]:
    """One column of a row's training history."""
    return [float(epoch[key]) for epoch in result["history"]]


def section(scale: str, settings: dict[str, Any], by_name: dict[str, dict[str, Any]]) -> str:
    """The Markdown of the section."""
    used = settings["scale"]
    kind = " and ".join(settings["data"])
    classes = "LV or not" if settings["classes"] == 2 else "four classes (Dice and HD are the LV's)"
    pretraining = used["pretrain_data"].partition(":")[0]
    rows = []
    for row in ROWS:
        result, paper = by_name.get(row.name, {"not_run": "left out", "machine": ""}), row.paper
        assert paper is not None
        common = [str(settings["seed"]), kind, result["machine"]]
        if "not_run" in result:
            missing = f"not run: {result['not_run']}"
            rows.append(
                [
                    row.name,
                    f"{paper[0]:.2f}",
                    missing,
                    f"{paper[1]:.2f}",
                    "",
                    "",
                    "",
                    f"{paper[2]:.2f}",
                    "",
                    f"{paper[3]:.1f}",
                    "",
                    "",
                    *common,
                ]
            )
            continue
        rows.append(
            [
                row.name,
                f"{paper[0]:.2f}",
                f"{result['dice']:.3f}",
                f"{paper[1]:.2f}",
                number(result["hd_mm"]),
                number(result["hd95_mm"]),
                number(result["hd_px"]),
                f"{paper[2]:.2f}",
                f"{result['miou']:.3f}",
                f"{paper[3]:.1f}",
                f"{1000 * result['image_s']:.1f}",
                str(result["epochs"]),
                *common,
            ]
        )
    missed = {name: result["missed"] for name, result in by_name.items() if result.get("missed")}
    return "\n".join(
        [
            "## PSPNet-MK, table 1",
            "",
            f"`echoedge reproduce pspnet-table1 --scale {scale} --data "
            f"{' --data '.join(f'{k}:DIR' for k in settings['data'])} --classes {settings['classes']} --seed "
            f"{settings['seed']}`: {classes}, {used['size']} px, {len(settings['training'])} training and "
            f"{len(settings['validation'])} validation frames of other patients, weights of the last epoch, "
            f"{'bfloat16' if used['mixed_precision'] else 'float32'} training. `_T` rows are pre-trained for "
            f"{used['pretrain_epochs']} epochs on `{pretraining}` data.",
            "",
            "The paper's figures are of 3,616 short-axis slices of CETUS at 473 px, which may not be redistributed, "
            "after 30 epochs (ResNet50: 50); its HD has no unit and its time neither an image count nor a machine. "
            "Neither can be compared with the columns beside them in absolute terms; the order of the rows can. Time "
            "is torch's in float32, one image, the rows taking turns, median.",
            "",
            markdown_table(HEADINGS, rows),
            "",
            *([f"Frames in which no LV was found, left out of the distances: {missed}.", ""] if missed else []),
            "![Table 1](figures/pspnet-table1.png)",
            "",
            "![Figures 7-10](figures/pspnet-convergence.png)",
        ]
    )


def number(value: float | None) -> str:
    """Two decimals, or a dash where nothing could be measured."""
    return "-" if value is None else f"{value:.2f}"
