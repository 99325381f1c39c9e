"""The regional-quality paper's table 4 and what hangs on it: `echoedge reproduce quality-table4`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from edge.terminal import terminal
from train.options import table_options
from train.reproduce.quality_report import write_report
from train.reproduce.quality_rows import SCALES
from train.reproduce.quality_study import Table4
from train.results import RESULTS


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge reproduce quality-table4",
        description="gCNR, coherence and the end-to-end network on held-out hearts and patients: synthetic echo with "
        "exact labels, real frames with injected degradation, CAMUS's grades of the two-chamber view. Finished rows "
        "are kept; call again to go on.",
        epilog="example: echoedge reproduce quality-table4 --scale cpu --data camus:/data/camus --valid "
        "split_valid.txt --graded /data/camus/patients_info.csv --imagenet mobilenet_v2.npz",
        parents=[table_options("quality-table4", SCALES, "25 minutes")],
    )
    p.add_argument(
        "--data", action="append", default=[], help="KIND:FOLDER of annotated frames, may be repeated: camus, folder"
    )
    p.add_argument("--valid", type=Path, help="file of patient names kept for the test, one a line")
    p.add_argument("--graded", type=Path, help="CAMUS's patients_info.csv, for the A2C frames of --data")
    p.add_argument("--experts", help="experts:FOLDER of held-out annotations, a further test set")
    p.add_argument("--segmentation", type=Path, help="segmentation model folder, for the regions of --experts")
    p.add_argument(
        "--quality", type=Path, help="checkpoint of `echoedge train quality` to test, in place of training one"
    )
    p.add_argument("--coherence", type=Path, help="checkpoint of `echoedge train coherence`, in place of training one")
    p.add_argument("--imagenet", type=Path, help=".npz of MobileNetV2 ImageNet weights to start from")
    p.add_argument("--ablation", action="store_true", help="also the eight variants of appendix B (more time)")
    p.add_argument("--json", action="store_true", help="print the rows as JSON")
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    table = Table4(args, SCALES[args.scale])
    rows = table.run(args.ablation)
    text = write_report(args.results or table.folder / RESULTS, args.scale, table, rows)
    if args.json:
        print(json.dumps(rows, indent=2))
    else:
        terminal().print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
