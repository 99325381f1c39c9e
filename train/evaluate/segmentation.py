"""`echoedge evaluate`: accuracy of a model folder, run as the runtime runs it, on annotated data."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from edge.errors import DataError
from edge.nets.model import open_scorer, open_segmenter
from edge.options import add_allow_failed_gate
from edge.tables import markdown_table, print_table
from edge.terminal import terminal
from train.data import open_data
from train.data.camus import read_grades, read_reference_ef, read_split
from train.data.echonet import read_echonet_ef
from train.data.sample import Sample
from train.evaluate.apical import compare_apical
from train.evaluate.ef import EXPERTS, Pair, agreement, compare_ef
from train.evaluate.interval import INTERVAL_HEADINGS, INTERVAL_TITLE, fit_interval, interval_rows
from train.evaluate.metrics import bootstrap_interval, dice, distances_summary, iou, mean_known, surface_distances
from train.figures import bland_altman
from train.options import artefact_options, evaluation_options
from train.results import machine, replace_section

CLASSES = {"lv": 1, "myo": 2, "la": 3}
EPICARDIUM = {"epi": (CLASSES["lv"], CLASSES["myo"])}
"""Cavity and wall together, as the literature on CAMUS reports the outer contour."""
METRICS = {"dice": "", "iou": "", "hd": "mm", "hd95": "mm", "mad": "mm"}


def evaluate_frame(
    predicted: NDArray[np.uint8], sample: Sample, classes: Mapping[str, int | tuple[int, ...]] = CLASSES
) -> dict[str, dict[str, float]]:
    """metric -> class -> value of one frame at its own resolution; distances in mm, NaN where a class is absent. All
    NaN for a class that the sample does not annotate. A class is a label, or several as one."""
    row: dict[str, dict[str, float]] = {metric: {} for metric in METRICS}
    for name, label in classes.items():
        if not np.isin(label, sample.known).all():
            for metric in METRICS:
                row[metric][name] = float("nan")
            continue
        found, true = np.isin(predicted, label), np.isin(sample.mask, label)
        distances = surface_distances(found, true, sample.spacing_mm[0])
        values = {"dice": dice(found, true), "iou": iou(found, true), **distances_summary(distances)}
        for metric, value in values.items():
            row[metric][name] = value
    return row


def summarise(
    rows: Sequence[dict[str, dict[str, float]]], samples: Sequence[Sample], groups: Sequence[str] | None = None
) -> dict[str, Any]:
    """Means with bootstrap 95 % intervals over patients, for all frames and each group: view and phase, unless `groups`
    names each frame's. None for what no frame tells."""
    patients = np.array([s.patient for s in samples])
    classes = tuple(rows[0]["dice"])

    def table(keep: np.ndarray) -> dict[str, Any]:
        out: dict[str, Any] = {"n": int(keep.sum())}
        intervals: dict[str, dict[str, list[float | None]]] = {}
        for metric in METRICS:
            values = {c: np.array([row[metric][c] for row in rows])[keep] for c in classes}
            out[metric] = {c: rounded(mean_known(v)) for c, v in values.items()}
            intervals[metric] = {
                c: [rounded(x) for x in bootstrap_interval(v, patients[keep])] for c, v in values.items()
            }
        out["miou"] = rounded(mean_known(np.array(list(out["iou"].values()), np.float64)))
        out["ci95"] = intervals
        return out

    result = table(np.ones(len(rows), bool))
    names = np.array(groups if groups is not None else [f"{s.view} {s.phase}" for s in samples])
    result["groups"] = {str(name): table(names == name) for name in np.unique(names)}
    return result


def rounded(value: float) -> float | None:
    """To four digits; None for NaN, which JSON has not."""
    return None if np.isnan(value) else round(value, 4)


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge evaluate",
        description="Dice, HD, HD95, MAD and mIoU of a segmentation model with bootstrap 95 % intervals.",
        epilog="example: echoedge evaluate --model models/pspnet-mk --data camus:/data/camus --split split_valid.txt "
        "--json",
        parents=[evaluation_options(), artefact_options()],
    )
    p.add_argument("--model", type=Path, required=True, help="model folder")
    p.add_argument(
        "--data",
        action="append",
        required=True,
        help="KIND:FOLDER, such as camus:/data/camus or folder:/data/frames; repeatable: frames of one patient name "
        "belong together",
    )
    p.add_argument(
        "--ef", action="store_true", help="also compare EF, of one plane and biplane, with the experts' masks"
    )
    p.add_argument(
        "--by", choices=("grade",), help="groups by the picture's grade (CAMUS: Good, Medium, Poor), not view and phase"
    )
    p.add_argument(
        "--measurements",
        action="store_true",
        help="also compare FAC, MAPSE, strain, lengths, volumes and the left atrium with the experts' masks",
    )
    p.add_argument(
        "--fit-interval",
        nargs=2,
        type=Path,
        metavar=("QUALITY", "FILE.py"),
        help="also fit EF's 90 %% interval to these patients, which no network may have seen, and write its constants; "
        "QUALITY is the quality model's folder, FILE.py is edge/heart/fitted.py",
    )
    p.add_argument("--figure", type=Path, help="with --ef: Bland-Altman plot, a PNG")
    add_allow_failed_gate(p)
    p.add_argument("--results", type=Path, metavar="FILE.md", help="also write the table as a section of this file")
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    if args.figure and not args.ef:
        raise DataError("--figure draws the comparison of EF; add --ef")
    patients = read_split(args.split) if args.split else None
    with open_segmenter(
        args.model, args.precision, args.backend, allow_failed_gate=args.allow_failed_gate
    ) as segmenter:
        samples = [sample for place in args.data for sample in open_data(place, patients)]
        if not samples:
            raise DataError(f"{' and '.join(args.data)} have no frames of the patients asked for")
        known = len(segmenter.manifest.classes)
        groups = graded(samples, folder_of(args.data, "camus")) if args.by else None
        classes: dict[str, int | tuple[int, ...]] = {name: n for name, n in CLASSES.items() if n < known}
        classes |= EPICARDIUM if known > CLASSES["myo"] else {}
        masks = [
            segmenter(sample.image)
            for sample in track(samples, "evaluating", console=terminal(stderr=True), transient=True)
        ]
        rows = [evaluate_frame(mask, sample, classes) for mask, sample in zip(masks, samples)]
        result = {
            "model": segmenter.manifest.name,
            "precision": segmenter.manifest.precision,
            "backend": f"{segmenter.backend.name} {segmenter.backend.version}",
            "sha256": segmenter.manifest.sha256,
            "training": dict(segmenter.manifest.evidence),
            "data": [place.partition(":")[0] for place in args.data],
            "machine": machine(),
            "views": sorted({s.view for s in samples}),
            **summarise(rows, samples, groups),
        }
    if args.ef:
        camus, echonet = folder_of(args.data, "camus"), folder_of(args.data, "echonet")
        reference = read_reference_ef(camus) if camus else None
        frames = list(zip(samples, masks))
        pairs = compare_ef(frames, reference, read_echonet_ef(echonet) if echonet else None)
        for grade in sorted(set(groups or ())):
            part = compare_ef([frame for frame, name in zip(frames, groups or ()) if name == grade])
            pairs |= {f"{name}, {grade}": pair for name, pair in part.items()}
        result["ef"] = {name: {"against": pair.against, **asdict(agreement(*pair[:2]))} for name, pair in pairs.items()}
        if args.figure:
            _draw(args.figure, pairs, f"{result['model']} {result['precision']}: EF against the experts' masks")
    if args.measurements:
        found = compare_apical(list(zip(samples, masks)))
        result["measurements"] = {name: asdict(agreement(*pair[:2])) for name, pair in found.items()}
    if args.fit_interval:
        quality, path = args.fit_interval
        with open_scorer(quality, args.precision, args.backend, allow_failed_gate=args.allow_failed_gate) as scorer:
            result["interval"] = fit_interval(list(zip(samples, masks)), scorer, path, (args.model, quality))
    if args.results:
        write_section(args.results, result, args.figure)
    if args.json:
        print(json.dumps(result, indent=2))
    else:
        print_result(result)
    return 0


def folder_of(places: Sequence[str], kind: str) -> Path | None:
    """The first folder whose data set is of this kind, as `echonet-test` is of `echonet`; None without one."""
    found = [folder for name, _, folder in (p.partition(":") for p in places) if name.partition("-")[0] == kind]
    return Path(found[0]) if found else None


def graded(samples: Sequence[Sample], camus: Path | None) -> list[str]:
    """Each frame's grade by CAMUS's readers. Raises DataError without CAMUS, or for a patient that has none."""
    if camus is None:
        raise DataError("--by grade needs the grades of CAMUS; add --data camus:FOLDER")
    grades = read_grades(camus / "patients_info.csv")
    absent = sorted({s.patient for s in samples} - set(grades))
    if absent:
        raise DataError(f"{camus}/patients_info.csv has no grade of {', '.join(absent[:5])}")
    return [grades[s.patient] for s in samples]


def _draw(path: Path, pairs: Mapping[str, Pair], title: str) -> None:
    bland_altman(path, {name: pair[:2] for name, pair in pairs.items() if pair.against == EXPERTS}, title)


HEADINGS = ["group", "n", "class", "Dice (95 %)", "HD mm", "HD95 mm", "MAD mm", "IoU"]
EF_TITLE = "EF of the model's masks against a reference of the same formula, in percent"
EF_HEADINGS = [
    "EF",
    "against",
    "n",
    "r (95 %)",
    "MAE (95 %)",
    "bias (95 %)",
    "limits of agreement",
    "off by more than 15",
]

APICAL_TITLE = "measurements of the model's masks against those of the experts' masks"
APICAL_HEADINGS = ["measurement", "n", "r (95 %)", "MAE (95 %)", "bias (95 %)", "limits of agreement"]


def table_rows(result: dict[str, Any]) -> list[list[str]]:
    """A row a group and class, in the order of HEADINGS."""
    rows = []
    for group, part in (("all", result), *result["groups"].items()):
        for name in part["dice"]:
            dice_95 = [cell(value, ".4f") for value in (part["dice"][name], *part["ci95"]["dice"][name])]
            rows.append(
                [
                    group,
                    str(part["n"]),
                    name,
                    "-" if dice_95[0] == "-" else f"{dice_95[0]} ({dice_95[1]}-{dice_95[2]})",
                    *(cell(part[metric][name], ".2f") for metric in ("hd", "hd95", "mad")),
                    cell(part["iou"][name], ".4f"),
                ]
            )
    return rows


def cell(value: float | None, digits: str) -> str:
    """A number of a table; "-" for what the data do not tell."""
    return "-" if value is None else f"{value:{digits}}"


def ef_rows(result: dict[str, Any]) -> list[list[str]]:
    """A row a formula, in the order of EF_HEADINGS."""
    return [
        [
            name,
            fit["against"],
            str(fit["n"]),
            _with_interval(fit["r"], fit["r_ci95"], ".3f"),
            _with_interval(fit["mae"], fit["mae_ci95"], ".2f"),
            _with_interval(fit["bias"], fit["bias_ci95"], "+.2f"),
            f"{fit['low']:.1f} to {fit['high']:.1f}",
            f"{100 * fit['far']:.0f} %",
        ]
        for name, fit in result["ef"].items()
    ]


def apical_rows(result: dict[str, Any]) -> list[list[str]]:
    """A row a measurement, in the order of APICAL_HEADINGS."""
    return [
        [
            name,
            str(fit["n"]),
            _with_interval(fit["r"], fit["r_ci95"], ".3f"),
            _with_interval(fit["mae"], fit["mae_ci95"], ".2f"),
            _with_interval(fit["bias"], fit["bias_ci95"], "+.2f"),
            f"{fit['low']:.2f} to {fit['high']:.2f}",
        ]
        for name, fit in result["measurements"].items()
    ]


def _with_interval(value: float, interval: Sequence[float], digits: str) -> str:
    low, high = interval
    return f"{value:{digits}} ({low:{digits}} to {high:{digits}})"


def print_result(result: dict[str, Any]) -> None:
    """The result on the terminal."""
    title = f"{result['model']} {result['precision']} ({result['backend']}), {result['n']} frames"
    print_table(HEADINGS, table_rows(result), title)
    if "ef" in result:
        print_table(EF_HEADINGS, ef_rows(result), EF_TITLE)
    if "measurements" in result:
        print_table(APICAL_HEADINGS, apical_rows(result), APICAL_TITLE)
    if "interval" in result:
        print_table(INTERVAL_HEADINGS, interval_rows(result), INTERVAL_TITLE)


def write_section(path: Path, result: dict[str, Any], figure: Path | None) -> None:
    """The result as a section of Markdown file `path`, one for each model, precision, data set and view."""
    views = " and ".join(result["views"])
    title = f"{result['model']} {result['precision']} on {' and '.join(dict.fromkeys(result['data']))}, {views}"
    places = " ".join(f"--data {kind}:DIR" for kind in result["data"])
    trained = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in result["training"].items())
    lines = [
        f"## {title}",
        "",
        f"`echoedge evaluate --model {result['model']} --precision {result['precision']} {places} "
        f"--results FILE`: {result['n']} frames at their own resolution, intervals bootstrapped over patients. "
        f"{result['backend']}, {result['machine']}. File {result['sha256'][:12]}: {trained}.",
        "",
        markdown_table(HEADINGS, table_rows(result)),
    ]
    if "ef" in result:
        lines += ["", f"{EF_TITLE[0].upper() + EF_TITLE[1:]}:", "", markdown_table(EF_HEADINGS, ef_rows(result))]
    if "measurements" in result:
        heading = f"{APICAL_TITLE[0].upper() + APICAL_TITLE[1:]}:"
        lines += ["", heading, "", markdown_table(APICAL_HEADINGS, apical_rows(result))]
    if figure:
        lines += ["", f"![{title}]({os.path.relpath(figure, path.parent)})"]
    name = title.lower().replace(",", "").replace(" ", "-")
    replace_section(path, f"evaluate-{name}", "\n".join(lines))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
