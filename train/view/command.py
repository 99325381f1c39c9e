"""`echoedge train view`: the head that says plane and orientation, on the quality network's frozen trunk."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.progress import Progress
from safetensors.torch import save_file

from edge.errors import DataError
from edge.heart.plane import APICAL
from edge.nets.manifest import find_manifests
from train.data import open_data
from train.fit import COLUMNS
from train.view.data import Labelled, real, synthetic
from train.view.features import Trunk
from train.view.training import fit_head, head_scores

HELD_OUT_LOOPS = 60
HELD_OUT_SEED = 800_000


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge train view",
        description="Train the view head on synthetic pictures of every plane and real apical ones; the quality "
        "network's trunk stays as it is.",
        epilog="example: echoedge train view --quality models/quality --data camus:CAMUS --valid split_valid.txt "
        "--loops 4000 --out runs/view",
    )
    p.add_argument("--quality", type=Path, required=True, help="the quality model's folder")
    p.add_argument("--precision", choices=("int8", "fp32"), default="int8", help="file whose features are read")
    p.add_argument("--data", action="append", default=[], help="KIND:FOLDER of real apical frames, may be repeated")
    p.add_argument("--valid", type=Path, help="file of patient names kept for validation")
    p.add_argument("--loops", type=int, default=4000, help="synthetic loops and pictures without a heart")
    p.add_argument("--epochs", type=int, default=24)
    p.add_argument("--seed", type=int, default=0, help="of the first loop and of the fit")
    p.add_argument("--out", type=Path, required=True, help="folder for head.safetensors and view.json")
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    if args.loops < 1:
        raise DataError(f"--loops is {args.loops}; give 1 or more")
    kept = set(args.valid.read_text().split()) if args.valid else set()
    trunk = Trunk(_artefact(args.quality, args.precision))
    with Progress(*COLUMNS) as progress:
        features = trunk.of(_training(args, kept, progress))
    head = fit_head(features, args.epochs, args.seed)
    facts: dict[str, object] = {"pictures": len(features.labels), "epochs": args.epochs}
    loops = (item for seed in range(HELD_OUT_LOOPS) for item in synthetic(HELD_OUT_SEED + seed))
    facts["synthetic"] = head_scores(head, trunk.of(loops))
    if kept and args.data:
        facts["real"] = head_scores(head, trunk.of(_real(args.data, kept, True)))
    args.out.mkdir(parents=True, exist_ok=True)
    save_file(head.state_dict(), args.out / "head.safetensors")
    text = json.dumps(facts, indent=2)
    (args.out / "view.json").write_text(text + "\n")
    print(text)
    return 0


def _artefact(folder: Path, precision: str) -> Path:
    for manifest, path in find_manifests(folder):
        if manifest.precision == precision and manifest.target in ("any", "cpu"):
            return path.with_name(manifest.file)
    raise DataError(f"{folder} has no {precision} file; give --precision of one that is there")


def _training(args: argparse.Namespace, kept: set[str], progress: Progress) -> Iterator[Labelled]:
    for seed in progress.track(range(args.seed, args.seed + args.loops), description="synthetic loops"):
        yield from synthetic(seed)
    yield from progress.track(_real(args.data, kept, False), description="real frames")


def _real(places: Sequence[str], kept: set[str], held_out: bool) -> Iterator[Labelled]:
    """Real frames of the patients kept for validation, or of all others."""
    number = 0
    for place in places:
        for sample in open_data(place):
            number += 1
            if (sample.patient in kept) == held_out and sample.view in APICAL:
                yield from real(sample.image, sample.view, sample.source, number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
