"""A network and data small enough to train in a second. Run as a script it trains into FOLDER: for tests of real
processes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import Dataset

from train.facts import Facts, FitConfig
from train.fit import fit

FACTS = Facts(net="tiny", size=4)
CONFIG = FitConfig(
    epochs=3, batch=8, optimizer="sgd", lr=0.1, lr_end=0.01, warmup_steps=2, workers=0, mixed_precision=False
)


class Points(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Forty points, moved a little anew each epoch, and the class of each."""

    def __init__(self) -> None:
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return 40

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        x = torch.randn(4, generator=torch.Generator().manual_seed(1000 * self.epoch + index))
        return x, (x.sum() > 0).long()


def network(dropout: float = 0.2) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, 2))


def loss(net: nn.Module, batch: list[torch.Tensor]) -> torch.Tensor:
    return nn.functional.cross_entropy(net(batch[0]), batch[1])


def validate(net: nn.Module) -> dict[str, float]:
    with torch.inference_mode():
        x = torch.randn(64, 4, generator=torch.Generator().manual_seed(7))
        return {"score": -nn.functional.cross_entropy(net(x), (x.sum(1) > 0).long()).item()}


if __name__ == "__main__":
    torch.set_num_threads(1)
    epochs = int(sys.argv[2])
    config = FitConfig(**{**CONFIG.__dict__, "epochs": epochs})
    fit(network(dropout=0.0), Points(), loss, validate, config, Path(sys.argv[1]), "score", FACTS)
