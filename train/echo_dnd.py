"""Train Echo-DND: `echoedge train echo-dnd`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from edge.errors import DataError, ModelError
from train.augment import AugmentSpec
from train.checkpoint import load_checkpoint, weights_of
from train.data import open_data
from train.data.sample import Sample
from train.data.split import check_sides, patients_of
from train.diffusion.data import MaskAugmentSpec, MaskData
from train.diffusion.losses import KINDS_OF_KL, LossWeights, echo_dnd_loss
from train.diffusion.sample import draw_noise, sample
from train.evaluate.metrics import dice
from train.facts import Facts, FitConfig
from train.fit import fit
from train.initialise import initialise, load_trunk
from train.nets import ECHO_DND
from train.nets.echo_dnd import CONFIGS, TRUNKS, EchoDND, EchoDNDConfig
from train.nets.mobilenet_conditioner import MobileNetConditioner
from train.options import given, training_options
from train.segmentation import STATISTICS_FRAMES, read_sides

RECIPES = {
    # 200,000 steps of 8 are 1000 epochs of CAMUS's 1600 training frames.
    "paper": FitConfig(epochs=1000, lr=5e-5, lr_end=5e-5, ema_decay=0.9999, warmup_steps=0, weight_decay=1e-2),
    "teacher": FitConfig(epochs=12, lr=1e-3, lr_end=2e-5, ema_decay=0.9999, warmup_steps=200, clip_norm=1.0),
    "student": FitConfig(epochs=12, lr=2e-3, lr_end=2e-5, ema_decay=0.9999, warmup_steps=200, clip_norm=1.0),
}
"""Config -> how it is trained: the paper's AdamW at 5e-5; larger rates for the small networks' short runs."""
AUGMENT: dict[str, MaskAugmentSpec | AugmentSpec] = {"paper": MaskAugmentSpec(), "wide": AugmentSpec()}
"""The paper's kinds of augmentation (section 5.2), or those of segmentation."""
VALIDATION_BATCH = 8


def validation(pairs: MaskData, seed: int = 0) -> Callable[[Any], dict[str, float]]:
    """A function network -> mean Dice over `pairs` of the SCC head and, after one step, of each branch and their
    mean.
    """

    def validate(net: EchoDND) -> dict[str, float]:
        rows: dict[str, list[float]] = {}
        device = next(net.parameters()).device
        generator = torch.Generator(device).manual_seed(seed)
        for start in range(0, len(pairs), VALIDATION_BATCH):
            batch = [pairs[k] for k in range(start, min(start + VALIDATION_BATCH, len(pairs)))]
            masks = torch.stack([b[1] for b in batch]).numpy() > 0
            with torch.inference_mode():
                encoded = net.encode(torch.stack([b[0] for b in batch]).to(device))
                found = sample(net, encoded, (999,), draw_noise(net.config, len(batch), 1, generator))
                answers = {"scc": encoded.calibrated, "gaussian": found.gaussian, "bernoulli": found.bernoulli}
                answers["dice"] = found.mean()
            for name, answer in answers.items():
                if answer is not None:
                    areas = answer[:, 0].cpu().numpy() > 0.5
                    rows.setdefault(name, []).extend(dice(a, b) for a, b in zip(areas, masks))
        return {name: float(np.mean(values)) for name, values in rows.items()}

    return validate


def facts_of(
    config: EchoDNDConfig, training: Sequence[Sample], validation: Sequence[Sample], data: Sequence[str], recipe: str
) -> Facts:
    """What a checkpoint says of itself."""
    return Facts(
        net=ECHO_DND,
        size=config.size,
        classes=("background", "LV"),
        architecture=config,
        training_frames=len(training),
        validation_patients=patients_of(validation),
        data=tuple(data),
        recipe=recipe,
    )


def train_echo_dnd(
    config: EchoDNDConfig,
    recipe: FitConfig,
    weights: LossWeights,
    training: Sequence[Sample],
    held_out: Sequence[Sample],
    folder: Path,
    augment: str = "paper",
    init_trunk: Path | None = None,
    init_from: Path | None = None,
    data: Sequence[str] = (),
    recipe_name: str = "",
) -> Path:
    """Train into `folder`, resuming what is there; the best checkpoint's path.

    augment: a name in AUGMENT. init_trunk: what a MobileNetV2 conditioner starts from. init_from: checkpoint of an
    earlier run, from which everything starts. DataError for sides that share a patient.
    """
    check_sides(training, held_out)
    torch.manual_seed(recipe.seed)
    net = build(config)
    frames = MaskData(training, config.size, recipe.seed, AUGMENT[augment])
    if init_trunk:
        start_trunk(net, init_trunk, torch.stack([frames[k][0] for k in range(min(STATISTICS_FRAMES, len(frames)))]))
    if init_from:
        initialise(net, "T", init_from)
    pairs = MaskData(held_out, config.size, recipe.seed, None)
    facts = msgspec.structs.replace(
        facts_of(config, training, held_out, data, recipe_name), loss=asdict(weights), augment=augment
    )
    return fit(net, frames, echo_dnd_loss(config, weights), validation(pairs), recipe, folder, "dice", facts)


def start_trunk(net: EchoDND, path: Path, images: torch.Tensor) -> None:
    """Start the conditioner's MobileNetV2 from `path` (see `train.initialise.load_trunk`).

    Raises DataError for another conditioner, or a file that does not fit.
    """
    if not isinstance(net.conditioner, MobileNetConditioner):
        raise DataError(f"a trunk is part of the conditioner 'mobilenet' alone, this one is '{net.config.conditioner}'")
    load_trunk(net.conditioner.trunk, path, images)


def build(config: EchoDNDConfig) -> EchoDND:
    """The network. Raises DataError for a size that it cannot take."""
    try:
        return EchoDND(config)
    except ValueError as error:
        raise DataError(str(error)) from error


def at_size(config: EchoDNDConfig, size: int) -> EchoDNDConfig:
    """The network of the same weights for another input size: attention stays on the same levels."""
    gaussian, bernoulli = (side * size // config.size for side in config.attention_px)
    return replace(config, size=size, attention_px=(gaussian, bernoulli))


def load_echo_dnd(path: Path) -> EchoDND:
    """The averaged network of a checkpoint, in evaluation mode. Raises ModelError for one of another network."""
    tensors, facts = load_checkpoint(path)
    if facts.net != ECHO_DND or facts.architecture is None:
        raise ModelError(f"{path} holds the net '{facts.net}'; give one that `echoedge train echo-dnd` wrote")
    net = build(facts.architecture)
    # a student was trained beside what its features are compared through
    prefix = "ema.student." if facts.distillation is not None else "ema."
    net.load_state_dict(weights_of(tensors, prefix))
    return net.eval()


def cost(config: EchoDNDConfig) -> dict[str, float]:
    """Parameters in millions, and GFLOP (a multiply-add is two) of encoding one image and of one step; nothing is
    computed.
    """
    with torch.device("meta"):
        net = build(config).eval()
        image, t = torch.zeros(1, 1, config.size, config.size), torch.zeros(1, dtype=torch.long)
        z = torch.zeros(1, config.latent) if config.latent else None
        with torch.inference_mode():
            with FlopCounterMode(display=False) as encoding:
                encoded = net.encode(image)
            with FlopCounterMode(display=False) as one_step:
                net.denoise(encoded, image, image, t, z)
    return {
        "parameters_m": sum(p.numel() for p in net.parameters()) / 1e6,
        "encode_gflop": encoding.get_total_flops() / 1e9,
        "step_gflop": one_step.get_total_flops() / 1e9,
    }


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge train echo-dnd",
        description="Train Echo-DND, a dual-noise diffusion model of the left ventricle's mask.",
        epilog="example: echoedge train echo-dnd --config teacher --data camus:/data/camus --valid split_valid.txt "
        "--out runs/teacher. On several processes: torchrun --nproc-per-node 2 -m train.echo_dnd with the same "
        "options. Sizes and cost alone: echoedge train echo-dnd --config paper --cost",
        parents=[training_options(required=False)],
    )
    p.add_argument("--config", choices=tuple(CONFIGS), default="teacher")
    p.add_argument("--cost", action="store_true", help="print parameters and FLOPs of the configuration and stop")
    p.add_argument("--size", type=int, help="input size in px (default: the config's)")
    p.add_argument("--fusion", choices=("additive", "cross"), help="how image features enter (default: the config's)")
    p.add_argument("--prediction", choices=("v", "eps", "x0"), help="what the Gaussian branch estimates")
    p.add_argument("--trunk", choices=tuple(TRUNKS), help="two U-Nets, one for both masks, or one branch alone")
    p.add_argument("--conditioner", choices=("mfcm", "unet", "mobilenet"), help="module that reads the image")
    start = p.add_mutually_exclusive_group()
    start.add_argument(
        "--init-trunk", type=Path, help="what a MobileNetV2 conditioner starts from: checkpoint or ImageNet .npz"
    )
    start.add_argument("--init-from", type=Path, help="checkpoint of an earlier run to start from")
    p.add_argument("--augment", choices=tuple(AUGMENT), help="default: the paper's for its config, else wide")
    p.add_argument("--kl", choices=KINDS_OF_KL, default="vlb", help="vlb: the bound; prior: equations 10-11 as printed")
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    config = given(args, CONFIGS[args.config], ("fusion", "prediction", "trunk", "conditioner"))
    if args.size is not None:
        config = at_size(config, args.size)
    if args.cost:
        print(json.dumps({"config": asdict(config), **cost(config)}, indent=2))
        return 0
    if not args.data or args.out is None:
        raise DataError("training needs --data KIND:FOLDER and --out FOLDER")
    training, held_out = read_sides(args.data, args.valid, None, args.seed, open_data)
    print(f"{len(training)} training and {len(held_out)} validation frames", file=sys.stderr)
    recipe = given(args, RECIPES[args.config])
    kinds = [place.partition(":")[0] for place in args.data]
    augment = args.augment or ("paper" if args.config == "paper" else "wide")
    weights = LossWeights(kl=args.kl)
    print(
        train_echo_dnd(
            config,
            recipe,
            weights,
            training,
            held_out,
            args.out,
            augment,
            args.init_trunk,
            args.init_from,
            kinds,
            args.config,
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
