"""How much sooner the distilled Echo-DND answers than its teacher at 1000 steps: python benchmarks/diffusion_steps.py

In turn, one process: the teacher's whole answer in torch (encode once, 1000 steps, both branches), the student's four
steps in torch, and the shipped student as the runtime runs it. The torch networks have random weights: their time does
not depend on them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edge.refine.refiner import open_refiner
from train.diffusion.schedule import TIMESTEPS
from train.evaluate.refine import torch_estimator
from train.nets.echo_dnd import CONFIGS, EchoDND
from train.results import machine

STUDENT_STEPS, STUDENT_ANSWERS = 4, 20
"""Steps of the student's answer, and how many answers a round."""


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    p.add_argument("--model", type=Path, default=Path("models/echo-dnd"), help="folder of the student")
    p.add_argument("--precision", default="auto", help="of the folder's files")
    p.add_argument("--rounds", type=int, default=3)
    args = p.parse_args()
    teacher = torch_estimator(EchoDND(CONFIGS["teacher"]).eval(), TIMESTEPS, 1)
    student = torch_estimator(EchoDND(CONFIGS["student"]).eval(), STUDENT_STEPS, 1)
    with open_refiner(args.model, args.precision) as refiner:
        size = refiner.size_px
        image = np.random.default_rng(0).integers(0, 256, (1, 1, size, size), np.uint8)
        runs: dict[str, tuple[Callable[[], object], int, int]] = {
            "teacher, torch": (lambda: teacher(image), TIMESTEPS, 1),
            "student, torch": (lambda: student(image), STUDENT_STEPS, STUDENT_ANSWERS),
            "student, runtime": (lambda: refiner.infer(image, 1), STUDENT_STEPS, STUDENT_ANSWERS),
        }
        student(image), refiner.infer(image, 1)  # what the first call alone costs
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(args.rounds):
            for name, (run, _, count) in runs.items():
                for _ in range(count):
                    started = time.perf_counter()
                    run()
                    seconds[name].append(time.perf_counter() - started)
    medians = {name: float(np.median(values)) for name, values in seconds.items()}
    slowest = medians["teacher, torch"]
    rows = {
        name: {
            "steps": runs[name][1],
            "seconds": medians[name],
            "answers": len(seconds[name]),
            "times_fewer_steps": TIMESTEPS / runs[name][1],
            "times_less_time": slowest / medians[name],
        }
        for name in runs
    }
    print(json.dumps({"machine": machine(), "size_px": size, "precision": args.precision, **rows}, indent=2))


if __name__ == "__main__":
    main()
