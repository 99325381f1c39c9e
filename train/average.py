"""`echoedge average`: one checkpoint from the mean of several of the same network (model soup, Wortsman et al.
2022).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import torch

from edge.errors import ModelError
from train.checkpoint import load_checkpoint, save_checkpoint, weights_of


def average(paths: Sequence[Path], out: Path) -> None:
    """Write the mean of the checkpoints' averaged weights, with the facts of the last one and the names of all.

    Whole numbers, such as batch norm's counts, are the last one's. Raises ModelError for checkpoints of different
    networks.
    """
    read = [load_checkpoint(path) for path in paths]
    facts = read[-1][1]
    weights = [weights_of(tensors) for tensors, _ in read]
    shapes = [{name: tensor.shape for name, tensor in w.items()} for w in weights]
    for path, shape, (_, other) in zip(paths, shapes, read):
        if other.net != facts.net or shape != shapes[-1]:
            raise ModelError(f"{path} and {paths[-1]} are different networks; average runs of one network")
    mean = {
        f"ema.{name}": torch.stack([w[name] for w in weights]).mean(0) if last.is_floating_point() else last
        for name, last in weights[-1].items()
    }
    save_checkpoint(out, mean, msgspec.structs.replace(facts, averaged=tuple(map(str, paths))))


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge average",
        description="Average the weights of runs that began from one another, which is often better than the last "
        "alone.",
        epilog="example: echoedge average runs/a/last.safetensors runs/b/last.safetensors --out runs/mean.safetensors",
    )
    p.add_argument("checkpoints", type=Path, nargs="+", help="checkpoints of one network")
    p.add_argument("--out", type=Path, required=True)
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    average(args.checkpoints, args.out)
    print(args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
