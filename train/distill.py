"""A few-step student from an Echo-DND teacher: `echoedge distill`."""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from torch import nn

from edge.errors import DataError
from edge.nets.manifest import sha256_of
from train.augment import AugmentSpec
from train.data.sample import Sample
from train.data.split import check_sides, draw_patients
from train.diffusion import bernoulli, gaussian
from train.diffusion.data import MaskData
from train.diffusion.sample import Probabilities, advance, draw_noise, repeat, sample
from train.diffusion.schedule import STUDENT_GRIDS, trailing_grid
from train.echo_dnd import RECIPES, build, facts_of, given, load_echo_dnd, validation
from train.fit import FitConfig, Loss, fit
from train.initialise import initialise
from train.nets.echo_dnd import CONFIGS, EchoDND, EchoDNDConfig, Estimate
from train.segmentation import read_sides

HINTED = 2
"""Streams of the teacher's MFCM, finest first, that the student's are to resemble."""


@dataclass(frozen=True)
class DistillWeights:
    """What the student learns from.

    truth: share of the expert's mask in the target, the rest being the teacher's consensus. hint: likeness of MFCM
    features (Romero et al. 2015). consistency: KL of the answer at t = 999 from the one a step later. own_states: share
    of frames whose later state comes from the student's own first step instead of the expert's mask.
    """

    truth: float = 0.5
    dice: float = 0.5
    scc: float = 0.1
    hint: float = 0.5
    consistency: float = 0.25
    own_states: float = 0.5


TRUTH_ALONE = DistillWeights(truth=1.0, hint=0.0, consistency=0.0)
"""What every other choice is compared with."""


def consensus(
    teacher: EchoDND, images: Sequence[torch.Tensor], samples: int, grid: Sequence[int], seed: int = 0
) -> NDArray[np.uint8]:
    """Mean probability of both branches over `samples` draws a frame, uint8 with 255 for 1: frames x size x size."""
    device = next(teacher.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    out = np.empty((len(images), *images[0].shape[1:]), np.uint8)
    with torch.inference_mode():
        for index, image in enumerate(
            track(images, "teacher's consensus", console=Console(stderr=True), transient=True)
        ):
            encoded = repeat(teacher.encode(image[None].to(device)), samples)
            noise = draw_noise(teacher.config, samples, len(grid), generator)
            mean = sample(teacher, encoded, grid, noise).mean().mean(0)[0]
            out[index] = (mean * 255).round().byte().cpu().numpy()
    return out


def stored_consensus(path: Path, teacher: Path, data: MaskData, samples: int, steps: int) -> NDArray[np.uint8]:
    """The consensus on `data`'s frames as they are, from `path` where it was made of the same; else made and stored
    there.
    """
    digest = hashlib.sha256(f"{sha256_of(teacher)} {samples} {steps}".encode())
    images = [data[k][0] for k in range(len(data))]
    for image in images:
        digest.update(image.numpy().tobytes())
    if path.is_file():
        with np.load(path) as stored:
            if str(stored["made_of"]) == digest.hexdigest():
                maps: NDArray[np.uint8] = stored["maps"]
                return maps
    made = consensus(load_echo_dnd(teacher), images, samples, trailing_grid(steps))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name("part." + path.name)
    np.savez_compressed(temporary, maps=made, made_of=digest.hexdigest())
    temporary.replace(path)
    return made


class StudentPass(nn.Module):
    """The student, and for hints a 1x1 convolution for each compared stream: what `fit` trains and averages.

    A forward pass encodes once and takes two steps: at the grid's first timestep, from noise, and at a later one.
    """

    def __init__(self, student: EchoDND, teacher_channels: Sequence[int]) -> None:
        super().__init__()
        self.student = student
        own = student.conditioner.channels
        self.hints = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in zip(own, teacher_channels))  # type: ignore[call-overload]

    def forward(
        self, image: torch.Tensor, x_0: torch.Tensor, later: torch.Tensor, uses_own: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """image N x 1 x H x W; x_0 likewise in {0, 1}; later N int64 timesteps; uses_own N bool.

        Returns logits of x_0 as "gaussian", "bernoulli" (first step), "gaussian_later", "bernoulli_later"; "scc";
        "hint_K".
        """
        net, count = self.student, len(image)
        encoded = net.encode(image)
        z = torch.randn(count, net.config.latent, device=image.device) if net.config.latent else None
        first = torch.full_like(later, STUDENT_GRIDS[1][0])
        x_g, x_b = torch.randn_like(x_0), bernoulli.drawn(torch.full_like(x_0, 0.5), torch.rand_like(x_0))
        start = logits(net.denoise(encoded, x_g, x_b, first, z))
        with torch.no_grad():
            u = torch.rand_like(x_0)
            said = Probabilities(start["gaussian"].float().sigmoid(), start["bernoulli"].float().sigmoid())
            own = advance(said, x_g, x_b, u, first, later)
            true = (
                gaussian.noised(2 * x_0 - 1, later, torch.randn_like(x_0)),
                bernoulli.drawn(bernoulli.noised_probability(x_0, later), u),
            )
            states = [torch.where(uses_own[:, None, None, None], a, b) for a, b in zip(own, true)]
        then = logits(net.denoise(encoded, states[0], states[1], later, z))
        hints = {f"hint_{k}": hint(encoded.features[k]) for k, hint in enumerate(self.hints)}
        return {"scc": encoded.calibrated, **hints, **start, **{f"{name}_later": v for name, v in then.items()}}


def logits(estimate: Estimate) -> dict[str, torch.Tensor]:
    """Both branches' logits of x_0."""
    assert estimate.gaussian is not None
    assert estimate.bernoulli is not None
    return {"gaussian": estimate.gaussian, "bernoulli": estimate.bernoulli}


def distill_terms(
    found: dict[str, torch.Tensor], x_0: torch.Tensor, target: torch.Tensor, features: Sequence[torch.Tensor]
) -> dict[str, torch.Tensor]:
    """The loss's terms, scalars: "target" (cross-entropy with the blended target), "dice", "scc", "hint",
    "consistency".

    x_0 and target N x 1 x H x W, the latter in [0, 1]; features: the teacher's streams, for as many hints as `found`
    holds.
    """
    heads = ("gaussian", "bernoulli")
    both_steps = [found[head + when] for head in heads for when in ("", "_later")]
    out = {
        # each branch counts once, as the mean of its two steps
        "target": sum((F.binary_cross_entropy_with_logits(x, target) for x in both_steps), x_0.new_zeros(())) / 2,
        "dice": torch.stack([soft_dice_loss(x.sigmoid(), x_0) for x in both_steps]).mean(),
        "scc": F.mse_loss(found["scc"], x_0),
    }
    hints = [found[f"hint_{k}"] for k in range(HINTED) if f"hint_{k}" in found]
    if hints:
        out["hint"] = torch.stack([F.mse_loss(a, b) for a, b in zip(hints, features)]).mean()
    divergence = [
        bernoulli.kl_bits(found[f"{head}_later"].detach().sigmoid(), found[head].sigmoid()).mean() for head in heads
    ]
    out["consistency"] = torch.stack(divergence).mean()
    return out


def soft_dice_loss(probability: torch.Tensor, x_0: torch.Tensor) -> torch.Tensor:
    """1 - soft Dice over the batch."""
    return 1 - (2 * (probability * x_0).sum() + 1) / (probability.sum() + x_0.sum() + 1)


def distill_loss(teacher: EchoDND | None, weights: DistillWeights) -> Loss:
    """Loss of (StudentPass, [image, mask N x H x W int64, target N x H x W float32]); without a teacher there is no
    hint.
    """
    later_grid = torch.tensor(STUDENT_GRIDS[max(STUDENT_GRIDS)][1:])

    def loss(net: nn.Module, batch: list[torch.Tensor]) -> torch.Tensor:
        image, mask, target = batch
        x_0 = mask[:, None].float()
        image = image.contiguous(memory_format=torch.channels_last)
        later = later_grid.to(image.device)[torch.randint(len(later_grid), (len(image),), device=image.device)]
        uses_own = torch.rand(len(image), device=image.device) < weights.own_states
        found = {name: value.float() for name, value in net(image, x_0, later, uses_own).items()}
        features: list[torch.Tensor] = []
        if teacher is not None:
            with torch.no_grad():
                features = [f.float() for f in teacher.to(image.device).conditioner(image)[:HINTED]]
        with torch.autocast(image.device.type, enabled=False):
            terms = distill_terms(found, x_0, target[:, None], features)
            total = terms.pop("target")
            for name, value in terms.items():
                total = total + getattr(weights, name) * value
        return total

    return loss


def blend(data: MaskData, maps: NDArray[np.uint8], truth: float, labelled: Sequence[bool]) -> None:
    """Give `data` its targets: truth x the expert's mask + (1 - truth) x the consensus; where unlabelled, the consensus
    alone.

    An unlabelled frame's mask becomes the consensus cut at one half, so that no term sees the expert's.
    """
    soft = []
    for index, known in enumerate(labelled):
        image, mask = data.pairs[index]
        wide = cv2.resize(maps[index], mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
        if not known:
            data.pairs[index] = (image, (wide > 127).astype(np.uint8))
        share = truth if known else 0.0
        soft.append(np.round(share * 255 * mask + (1 - share) * wide).astype(np.uint8))
    data.soft = soft


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
    facts: dict[str, Any] | None = None,
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
    all_facts = {
        **facts_of(config, training, held_out),
        "distillation": asdict(weights),
        "teacher_sha256": sha256_of(teacher_path),
        "labelled_patients": len(known),
        "consensus": {"samples": samples, "steps": steps},
        **(facts or {}),
    }
    loss = distill_loss(teacher if weights.hint else None, weights)
    return fit(net, data, loss, lambda model: validate(model.student), recipe, folder, "dice", all_facts)


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
        epilog="example: echoedge distill runs/teacher/best.safetensors --data camus:/data/camus --valid split_valid.txt "
        "--out runs/student",
    )
    p.add_argument("teacher", type=Path, help="checkpoint that `echoedge train echo-dnd` wrote")
    p.add_argument("--data", action="append", required=True, help="KIND:FOLDER, may be repeated")
    p.add_argument("--valid", help="file of patient names kept for validation, or KIND:FOLDER (default: a tenth)")
    p.add_argument("--samples", type=int, default=8, help="teacher's draws a frame (default 8)")
    p.add_argument("--steps", type=int, default=25, help="teacher's steps a draw (default 25)")
    p.add_argument("--labels", type=float, default=1.0, help="share of the patients whose expert masks are used")
    default = DistillWeights()
    p.add_argument("--truth", type=float, default=default.truth, help="share of the expert's mask in the target")
    p.add_argument("--hint", type=float, default=default.hint, help="weight of the likeness of MFCM features")
    p.add_argument("--consistency", type=float, default=default.consistency, help="weight of the later step's pull")
    p.add_argument("--init-from", type=Path, help="checkpoint of an earlier student to start from")
    p.add_argument("--epochs", type=int, help="default 12")
    p.add_argument("--lr", type=float)
    p.add_argument("--batch", type=int, help="frames an optimiser step (default 8)")
    p.add_argument("--workers", type=int, help="processes that prepare frames (default 1)")
    p.add_argument("--mixed-precision", action=argparse.BooleanOptionalAction)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--out", type=Path, required=True, help="folder for checkpoints; an existing one is resumed")
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    training, held_out = read_sides(args.data, args.valid, None, args.seed)
    print(f"{len(training)} training and {len(held_out)} validation frames", file=sys.stderr)
    recipe: FitConfig = given(args, RECIPES["student"], ("epochs", "lr", "batch", "workers", "mixed_precision", "seed"))
    weights = DistillWeights(truth=args.truth, hint=args.hint, consistency=args.consistency)
    facts = {"data": [place.partition(":")[0] for place in args.data]}
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
        facts,
    )
    print(best)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
