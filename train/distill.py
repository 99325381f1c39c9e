"""A few-step student from an Echo-DND teacher: `echoedge distill`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import msgspec
import numpy as np
import torch

from edge.errors import DataError
from edge.nets.manifest import sha256_of
from train.augment import AugmentSpec
from train.data import open_data
from train.data.sample import Sample
from train.data.split import check_sides, draw_patients
from train.diffusion.consensus import blend, stored_consensus
from train.diffusion.data import MaskData
from train.diffusion.student import HINTED, DistillWeights, StudentPass, distill_loss
from train.echo_dnd import RECIPES, build, facts_of, load_echo_dnd, validation
from train.facts import FitConfig
from train.fit import fit
from train.initialise import initialise
from train.nets.echo_dnd import CONFIGS, EchoDND, EchoDNDConfig
from train.options import given, training_options
from train.segmentation import read_sides


def distill(
    teacher_path: Path,
    config: EchoDNDConfig,
    recipe: FitConfig,
    weights: DistillWeights,
    training: Sequence[Sample],
    held_out: Sequence[Sample],
    folder: Path,
    samples: int,
    steps: int,
    labels: float = 1.0,
    init_from: Path | None = None,
    places: Sequence[str] = (),
) -> Path:
    """Train a student into `folder`, resuming what is there; the best checkpoint's path.

    samples, steps: of the teacher's consensus, stored in `folder`/consensus.npz. labels: share of the patients whose
    expert masks are used. init_from: checkpoint of an earlier student to start from; without one the student starts
    with the teacher's conditioner and SCC head where they are of its own shape. Raises DataError for sides that share a
    patient and for a student that cannot be distilled.
    """
    check_sides(training, held_out)
    if config.trunk not in ("twin", "shared") or config.prediction != "x0":
        raise DataError("a student has both branches and predicts x0: give --config student")
    teacher = load_echo_dnd(teacher_path)
    if weights.hint and (teacher.config.size, teacher.config.patch) != (config.size, config.patch):
        raise DataError("teacher and student have feature maps of other sizes; distil with --hint 0")
    torch.manual_seed(recipe.seed)
    net = StudentPass(build(config), teacher.conditioner.channels[:HINTED] if weights.hint else ())
    if init_from:
        initialise(net, "T", init_from)
    else:
        take_over(net.student, teacher)
    data = MaskData(training, config.size, recipe.seed, AugmentSpec())
    patients = {s.patient for s in training}
    known = patients if labels >= 1 else draw_patients(patients, recipe.seed, labels)
    if weights.truth < 1 or len(known) < len(patients):
        still = MaskData(training, teacher.config.size, recipe.seed, None)
        maps = stored_consensus(folder / "consensus.npz", teacher_path, still, samples, steps)
    else:
        maps = np.zeros((len(data), config.size, config.size), np.uint8)
    blend(data, maps, weights.truth, [s.patient in known for s in training])
    validate = validation(MaskData(held_out, config.size, recipe.seed, None))
    facts = msgspec.structs.replace(
        facts_of(config, training, held_out, places, ""),
        distillation=asdict(weights),
        teacher_sha256=sha256_of(teacher_path),
        labelled_patients=len(known),
        consensus={"samples": samples, "steps": steps},
    )
    loss = distill_loss(teacher if weights.hint else None, weights)
    return fit(net, data, loss, lambda model: validate(model.student), recipe, folder, "dice", facts)


def take_over(student: EchoDND, teacher: EchoDND) -> None:
    """Give the student the teacher's conditioner and SCC head where all their tensors have the same shapes."""
    for name in ("conditioner", "calibrate"):
        mine, theirs = student.get_submodule(name), teacher.get_submodule(name)
        shapes = [{n: t.shape for n, t in part.state_dict().items()} for part in (mine, theirs)]
        if shapes[0] == shapes[1]:
            mine.load_state_dict(theirs.state_dict())


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge distill",
        description="Distil an Echo-DND teacher into a student of one to four steps.",
        epilog="example: echoedge distill runs/teacher/best.safetensors --data camus:/data/camus --valid "
        "split_valid.txt --out runs/student",
        parents=[training_options()],
    )
    p.add_argument("teacher", type=Path, help="checkpoint that `echoedge train echo-dnd` wrote")
    p.add_argument("--samples", type=int, default=8, help="teacher's draws a frame (default 8)")
    p.add_argument("--steps", type=int, default=25, help="teacher's steps a draw (default 25)")
    p.add_argument("--labels", type=float, default=1.0, help="share of the patients whose expert masks are used")
    default = DistillWeights()
    p.add_argument("--truth", type=float, default=default.truth, help="share of the expert's mask in the target")
    p.add_argument("--hint", type=float, default=default.hint, help="weight of the likeness of MFCM features")
    p.add_argument("--consistency", type=float, default=default.consistency, help="weight of the later step's pull")
    p.add_argument("--init-from", type=Path, help="checkpoint of an earlier student to start from")
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    training, held_out = read_sides(args.data, args.valid, None, args.seed, open_data)
    print(f"{len(training)} training and {len(held_out)} validation frames", file=sys.stderr)
    recipe: FitConfig = given(args, RECIPES["student"], ("epochs", "lr", "batch", "workers", "mixed_precision", "seed"))
    weights = DistillWeights(truth=args.truth, hint=args.hint, consistency=args.consistency)
    kinds = [place.partition(":")[0] for place in args.data]
    best = distill(
        args.teacher,
        CONFIGS["student"],
        recipe,
        weights,
        training,
        held_out,
        args.out,
        args.samples,
        args.steps,
        args.labels,
        args.init_from,
        kinds,
    )
    print(best)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
