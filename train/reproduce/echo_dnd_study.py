"""The runs behind the Echo-DND tables: variants, scales, and a folder in which rows are stored as they finish."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edge.nets.manifest import sha256_of
from edge.preprocess import Frame
from train.checkpoint import load_checkpoint, weights_of
from train.data import open_data
from train.diffusion.data import MaskAugmentSpec, MaskData
from train.diffusion.losses import LossWeights
from train.echo_dnd import RECIPES, load_echo_dnd, train_echo_dnd
from train.evaluate.refine import Estimator, measure, torch_estimator
from train.facts import Facts, FitConfig
from train.fit import fit
from train.nets.echo_dnd import CONFIGS, EchoDND, EchoDNDConfig
from train.nets.unet import UNet
from train.reproduce.pspnet_table1 import choose_frames
from train.results import machine, slug, store_row, stored_row
from train.segmentation import accuracy as segmentation_accuracy
from train.segmentation import normalised, read_sides, segmentation_loss

UNET, SCC = "U-Net alone", "SCC head alone"
"""Always measured beside the diffusion model: what a plain network, and what its own conditioning branch, reach without
steps.
"""


@dataclass(frozen=True)
class Variant:
    """One training run. paper: the printed Dice (end-systolic, end-diastolic, overall), None where the paper has no
    such row.
    """

    name: str
    paper: tuple[float | None, float | None, float] | None
    shape: dict[str, Any] = field(default_factory=dict)
    loss: dict[str, Any] = field(default_factory=dict)


BASE = Variant("Echo-DND", (0.971, 0.954, 0.962))
VARIANTS = (
    BASE,
    Variant("conditioned by a U-Net", (None, None, 0.958), {"conditioner": "unet"}),
    Variant("L_G + L_B", (None, None, 0.951), loss={"kl_gaussian": 0.0, "kl_bernoulli": 0.0, "scc": 0.0}),
    Variant("L_G + L_B + KL", (None, None, 0.955), loss={"scc": 0.0}),
    Variant("only Gaussian", (None, None, 0.949), {"trunk": "gaussian"}),
    Variant("only Bernoulli", (None, None, 0.954), {"trunk": "bernoulli"}),
    Variant("KL as printed", None, loss={"kl": "prior"}),
    Variant("epsilon-prediction", None, {"prediction": "eps"}),
)
PAPER_UNET = (0.927, 0.951, 0.939)
UNET_LOSS = "dice-cross-entropy"


@dataclass(frozen=True)
class Scale:
    """How much of the paper's work is done. answer_steps: DDIM steps of the tables' rows; steps: of the table of
    steps.
    """

    config: EchoDNDConfig
    recipe: FitConfig
    training_frames: int | None
    validation_frames: int | None
    answer_steps: int
    steps: tuple[int, ...]
    samples: int


SMALL = EchoDNDConfig(
    size=64, widths=(24, 48, 72, 96), blocks=1, attention_px=(8, 4), groups=8, mfcm_width=16, stem_width=32, patch=2
)
"""The paper's two U-Nets and its own MFCM at a size that two cores can train many times."""
SCALES = {
    "smoke": Scale(
        replace(SMALL, widths=(8, 8, 16, 16), mfcm_width=4, stem_width=4, groups=4),
        replace(RECIPES["teacher"], epochs=1, batch=4, workers=0, warmup_steps=2),
        8,
        4,
        2,
        (1, 2),
        2,
    ),
    "cpu": Scale(
        SMALL,
        replace(RECIPES["teacher"], epochs=8, workers=0),
        400,
        50,
        4,
        (1, 2, 4, 10, 25, 50),
        8,
    ),
    "full": Scale(CONFIGS["paper"], RECIPES["paper"], None, None, 1000, (1, 2, 4, 10, 25, 50, 1000), 8),
}


class Study:
    """One run in a folder: settings, data, and rows that are stored as they finish."""

    def __init__(self, args: argparse.Namespace, scale: Scale) -> None:
        self.folder: Path = args.out or Path("runs") / "echo-dnd" / f"{args.scale}-seed{args.seed}"
        self.scale, self.seed = scale, args.seed
        self.recipe = replace(scale.recipe, seed=args.seed)
        training, validation = read_sides(args.data, args.valid, None, args.seed, open_data)
        self.training = choose_frames(training, scale.training_frames, args.seed)
        self.validation = choose_frames(validation, scale.validation_frames, args.seed)
        self.settings = {
            "scale": asdict(scale),
            "seed": args.seed,
            "data": sorted({p.partition(":")[0] for p in args.data}),
            "training": sorted(s.source for s in self.training),
            "validation": sorted(s.source for s in self.validation),
        }

    def row(self, name: str, paper: Any, make: Any, size: int | None = None, of: str = "") -> dict[str, Any]:
        """The measured row of that name, from its file where it is there; `make` gives an estimator and facts of
        training.

        size: of the estimator's input, where it is not the scale's. of: digest of the checkpoint where the caller gave
        one, so that another one has rows of its own.
        """
        path = self.folder / "rows" / f"{slug(f'{name} {of}'.strip())}.json"
        stored = stored_row(path, self.settings)
        if stored is not None:
            return stored
        estimator, facts = make()
        found = measure(estimator, self.validation, size or self.scale.config.size, name)
        row = {"name": name, "paper": paper, "settings": self.settings, "machine": machine(), **facts, **found}
        print(f"{name}: Dice {found['dice']:.3f}", file=sys.stderr)
        return store_row(path, row)

    def trained(self, variant: Variant) -> EchoDND:
        """The network of a variant after its last epoch; choosing the epoch by the validation frames would flatter."""
        folder = self.folder / slug(variant.name)
        config = replace(self.scale.config, **variant.shape)
        train_echo_dnd(config, self.recipe, LossWeights(**variant.loss), self.training, self.validation, folder)
        return load_echo_dnd(folder / "last.safetensors")

    def variants(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """A row a variant, and of the base also its SCC head's."""
        rows = []
        for variant in (v for v in VARIANTS if v.name in names):

            def make(variant: Variant = variant, fusion: str = "mean") -> tuple[Estimator, dict[str, Any]]:
                net = self.trained(variant)
                steps = self.scale.answer_steps
                millions = sum(p.numel() for p in net.parameters()) / 1e6
                return torch_estimator(net, steps, 1, fusion, self.seed), {"parameters_m": millions, "steps": steps}

            rows.append(self.row(variant.name, variant.paper, make))
            if variant is BASE:
                rows.append(self.row(SCC, None, lambda make=make: make(fusion="scc")))
        return rows

    def unet(self) -> dict[str, Any]:
        """A feed-forward U-Net trained on the same frames for as many epochs."""

        def make() -> tuple[Estimator, dict[str, Any]]:
            torch.manual_seed(self.seed)
            net = UNet(2)
            size = self.scale.config.size
            pairs = MaskData(self.validation, size, self.seed, None).pairs
            folder = self.folder / "unet"
            fit(
                net,
                MaskData(self.training, size, self.seed, MaskAugmentSpec()),
                segmentation_loss(UNET_LOSS),
                lambda model: segmentation_accuracy(model, pairs, 2),
                self.recipe,
                folder,
                "mean",
                Facts(net="unet", size=size),
            )
            net.load_state_dict(weights_of(load_checkpoint(folder / "last.safetensors")[0]))
            millions = sum(p.numel() for p in net.parameters()) / 1e6
            return unet_estimator(net.cpu().eval()), {"parameters_m": millions, "steps": 0}

        return self.row(UNET, PAPER_UNET, make)

    def steps_of(self, name: str, checkpoint: Path, steps: Sequence[int]) -> list[dict[str, Any]]:
        """A row a number of steps, each of `samples` draws a frame."""
        net, digest = load_echo_dnd(checkpoint), sha256_of(checkpoint)[:12]
        return [
            self.row(
                f"{name} {count} steps",
                None,
                lambda count=count: (
                    torch_estimator(net, count, self.scale.samples, "mean", self.seed),
                    {"model": name, "steps": count, "samples": self.scale.samples, "size": net.config.size},
                ),
                net.config.size,
                digest,
            )
            for count in steps
        ]


def unet_estimator(net: UNet) -> Estimator:
    """The U-Net's softmax as a probability of the LV."""

    def estimate(image: Frame) -> NDArray[np.float32]:
        with torch.inference_mode():
            found: NDArray[np.float32] = net(normalised(image[0, 0])[None]).softmax(1)[:, 1].numpy()
            return found

    return estimate
