"""CPU time of the synthetic generator on one core: `python benchmarks/synth_speed.py [--size 473] [--frames 100]`."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time

import cv2
import numpy as np

from edge.synth import VIEWS, SyntheticLoop


def main(argv: list[str]) -> int:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--size", type=int, default=473, help="side of the picture in pixels")
    p.add_argument("--frames", type=int, default=100)
    p.add_argument("--loops", type=int, default=5, help="loops a view; each draws its own depth and density of lines")
    args = p.parse_args(argv)
    cv2.setNumThreads(1)
    load = os.getloadavg()[0]
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {load:.1f} when started, one "
        "thread"
    )
    print(f"| view | set up, ms CPU | frame at {args.size} px, ms CPU median | p90 | with truth of regions, median |")
    print("| --- | --- | --- | --- | --- |")
    for view in VIEWS[:4]:
        setup, plain, rich = [], [], []
        for seed in range(args.loops):
            start = time.process_time()
            loop = SyntheticLoop(seed, view, args.size)
            setup.append(time.process_time() - start)
            for quality, times in ((False, plain), (True, rich)):
                for number in range(args.frames // args.loops):
                    start = time.process_time()
                    loop.frame(number, quality)
                    times.append(time.process_time() - start)
        row = [np.median(setup), np.median(plain), np.percentile(plain, 90), np.median(rich)]
        print(f"| {view} | " + " | ".join(f"{1000 * value:.1f}" for value in row) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
