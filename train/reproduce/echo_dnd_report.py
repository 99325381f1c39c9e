"""Echo-DND's tables beside the paper's figures, as a section of a Markdown file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge.tables import markdown_table
from train.evaluate.refine import COLUMNS
from train.results import replace_section

Row = dict[str, Any]
STUDENT_COLUMNS = ("hd95", "ece_band", "auroc_band")
STEP_COLUMNS = ("dice", "hd95", "ece", "ece_band", "auroc", "auroc_band", "ged", "worst_decile_dice", "seconds")


def write_report(
    path: Path, scale: str, settings: dict[str, Any], rows: list[Row], students: list[Row], steps: list[Row]
) -> None:
    """Write the section of Markdown file `path`."""
    replace_section(path, "echo-dnd", section(scale, settings, rows, students, steps))


def section(scale: str, settings: dict[str, Any], rows: list[Row], students: list[Row], steps: list[Row]) -> str:
    """The Markdown of the section."""
    used = settings["scale"]
    data = " ".join(f"--data {kind}:DIR" for kind in settings["data"])
    headings = [
        "row",
        "ES paper",
        "ES",
        "ED paper",
        "ED",
        "overall paper",
        "overall (95 %)",
        "HD95 mm",
        "steps",
        "million parameters",
        "s an image",
    ]
    lines = [
        "## Echo-DND, tables 2 and 4",
        "",
        f"`echoedge reproduce echo-dnd --scale {scale} {data} --seed {settings['seed']}`: LV Dice at "
        f"{used['config']['size']} px, "
        f"{len(settings['training'])} training and {len(settings['validation'])} validation frames of other patients, "
        f"{used['recipe']['epochs']} epochs, weights of the last one, one draw a frame. {machine_of(rows)}",
        "",
        "The paper's figures are of CAMUS at 256 px, 238 M parameters, 200,000 steps and 1000 DDIM steps. They cannot "
        "be compared with the columns beside them in absolute terms; the order of the rows can, as far as their "
        "intervals part.",
        "",
        markdown_table(headings, [compared(row) for row in rows]),
    ]
    if students:
        headings = ["student learns from", "labelled of frames", "Dice (95 %)", *(COLUMNS[c] for c in STUDENT_COLUMNS)]
        lines += [
            "",
            "### What the distillation's terms are worth",
            "",
            "Students of the base row's size, four steps, one draw, all trained for as many steps. With scarce masks "
            "the teacher, too, has learned from those alone.",
            "",
            markdown_table(
                headings,
                [
                    [
                        row["name"].partition(": ")[2],
                        f"{row['labelled']} of {row['frames']}",
                        interval(row),
                        *(number(row[c]) for c in STUDENT_COLUMNS),
                    ]
                    for row in students
                ],
            ),
        ]
    if steps:
        headings = ["model", "steps", "draws", *(COLUMNS[c] for c in STEP_COLUMNS)]
        lines += [
            "",
            "### What a step is worth",
            "",
            "Each answer is the mean of the draws; its uncertainty is the mean's entropy. The band is what lies near "
            "the expert's border; AUROC is the chance that a wrong pixel is less sure than a right one.",
            "",
            markdown_table(
                headings,
                [
                    [row["model"], str(row["steps"]), str(row["samples"]), *(number(row[c]) for c in STEP_COLUMNS)]
                    for row in steps
                ],
            ),
        ]
    return "\n".join(lines)


def machine_of(rows: list[Row]) -> str:
    """Where the rows were made."""
    return "; ".join(sorted({row["machine"] for row in rows}))


def compared(row: Row) -> list[str]:
    """One row of tables 2 and 4."""
    printed = row["paper"] or (None, None, None)
    return [
        row["name"],
        number(printed[0]),
        number(row.get("dice_es")),
        number(printed[1]),
        number(row.get("dice_ed")),
        number(printed[2]),
        interval(row),
        number(row["hd95"]),
        str(row["steps"]),
        f"{row['parameters_m']:.2f}",
        number(row["seconds"]),
    ]


def interval(row: Row) -> str:
    """Dice with its 95 % interval."""
    return "{} ({}-{})".format(*map(number, (row["dice"], *row["dice_ci95"])))


def number(value: float | None) -> str:
    """Three decimals, or a dash where nothing is known."""
    return "-" if value is None else f"{value:.3f}"
