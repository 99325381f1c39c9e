"""Processor seconds of a training step of the quality and coherence networks: python benchmarks/quality_steps.py

One thread, 16 frames at 256 px, forward, backward and AdamW, the last of a few steps. Set
MALLOC_MMAP_THRESHOLD_=1073741824 and MALLOC_TRIM_THRESHOLD_=8589934592 first: torch otherwise hands its memory back
after every step.
"""

from __future__ import annotations

import time

import torch

from train.nets.coherence_net import CoherenceNet
from train.nets.quality_net import BACKBONES, QualityNet, Variant
from train.quality.coherence import coherence_loss
from train.quality.end_to_end import quality_loss
from train.results import machine

STEPS = 4
BATCH, SIZE = 16, 256


def main() -> None:
    torch.set_num_threads(1)
    image = torch.rand(BATCH, 1, SIZE, SIZE)
    scores = torch.rand(BATCH, 8) * 4 + 1
    runs = {name: (QualityNet(Variant(name)), quality_loss, [image, scores]) for name in BACKBONES}
    runs["coherence"] = (CoherenceNet(), coherence_loss, [image, image])
    print(machine())
    for name, (net, loss, batch) in runs.items():
        net.to(memory_format=torch.channels_last).train()
        optimizer = torch.optim.AdamW(net.parameters())
        for mixed in (False, True):
            for _ in range(STEPS):
                started = time.process_time()
                with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
                    value = loss(net, batch)
                value.backward()
                optimizer.step()
                optimizer.zero_grad()
                seconds = time.process_time() - started
            print(f"{name}, {'bfloat16' if mixed else 'float32'}: {seconds:.2f} s")


if __name__ == "__main__":
    main()
