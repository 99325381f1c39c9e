"""The Echo-DND paper's tables 2 and 4, and what each denoising step is worth: `echoedge reproduce echo-dnd`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from train.diffusion.schedule import STUDENT_GRIDS
from train.options import table_options
from train.reproduce.echo_dnd_report import write_report
from train.reproduce.echo_dnd_students import check_counts, student_rows
from train.reproduce.echo_dnd_study import BASE, SCALES, VARIANTS, Study
from train.results import RESULTS


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge reproduce echo-dnd",
        description="Train and measure the Echo-DND paper's comparison (table 2) and ablations (table 4), what each "
        "term of the distillation loss gives a student, and what each number of denoising steps gives. Finished rows "
        "are kept; call again to go on.",
        epilog="example: echoedge reproduce echo-dnd --scale cpu --data camus:/data/camus --valid split_valid.txt "
        "--teacher runs/teacher/last.safetensors --student runs/student/last.safetensors",
        parents=[table_options("echo-dnd", SCALES, "hours")],
    )
    p.add_argument("--data", action="append", required=True, help="KIND:FOLDER, may be repeated")
    p.add_argument("--valid", help="file of patient names kept for validation, or KIND:FOLDER (default: a tenth)")
    names = [v.name for v in VARIANTS]
    p.add_argument("--rows", nargs="*", choices=names, default=names, help="which of table 4's runs (default: all)")
    p.add_argument("--teacher", type=Path, help="checkpoint for the table of steps (default: the base row's)")
    p.add_argument("--student", type=Path, help="checkpoint that `echoedge distill` wrote, for the table of steps")
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    study = Study(args, SCALES[args.scale])
    check_counts(study, has_students=BASE.name in args.rows)
    rows = [study.unet(), *study.variants(args.rows)]
    base = study.folder / BASE.name / "last.safetensors"
    students = student_rows(study, base) if BASE.name in args.rows else []
    steps = []
    teacher = args.teacher or base
    if teacher.is_file():
        steps += study.steps_of("teacher", teacher, study.scale.steps)
    if args.student:
        steps += study.steps_of("student", args.student, tuple(STUDENT_GRIDS))
    results = args.results or study.folder / RESULTS
    write_report(results, args.scale, study.settings, rows, students, steps)
    print(results)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
