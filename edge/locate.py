"""`echoedge locate`: what is found on a scanner's screen, as JSON and as a picture to look at."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np

from edge.errors import SourceError
from edge.preprocess import grey
from edge.profile import Profile, profile_of, save_profile
from edge.scale import calibrate
from edge.sources import open_source
from edge.tracker import LOCATE_FRAMES, SectorTracker


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge locate",
        description="Find the sector and the depth scale on a scanner's screen.",
        epilog="example: echoedge locate loop.dcm --png found.png",
    )
    p.add_argument("source", help="as for `echoedge run`")
    p.add_argument("--png", type=Path, help="draw what was found")
    p.add_argument("--depth-cm", type=float, default=0.0, help="imaging depth, where the ticks do not tell")
    p.add_argument("--save", metavar="NAME", help="keep this screen for `echoedge run --profile NAME`")
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    found, picture, profile = locate(args.source, args.depth_cm, args.save or "")
    if profile is not None:
        found["profile"] = str(save_profile(profile))
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(found)).decode() + "\n")
    if args.png:
        args.png.parent.mkdir(parents=True, exist_ok=True)
        _, packed = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        args.png.write_bytes(packed.tobytes())
    return 0


def locate(uri: str, depth_cm: float = 0.0, name: str = "") -> tuple[dict[str, Any], np.ndarray, Profile | None]:
    """(what was found, RGB picture of it, a profile of that name) on the first frames of a source.

    Raises SourceError where there is no sector, or another screen than B-mode.

    The scale comes from the source, else from `depth_cm`, else from the ticks where they are sure, else it is null.
    """
    with open_source(uri) as source:
        images = [frame.image.copy() for frame in islice(source, LOCATE_FRAMES)]
        spacing, region = source.spacing_mm, source.region
    if not images:
        raise SourceError(f"{uri} holds no frames")
    tracker = SectorTracker(region)
    sector = tracker.find(images)
    scale = tracker.scale
    peak = np.max([grey(image) for image in images if image.shape == images[-1].shape], axis=0)
    calibration = calibrate(sector, scale, spacing, depth_cm)
    mm = calibration.spacing_mm
    profile = profile_of(name, sector, scale, mm[0] if mm else None) if name else None
    fan = sector.fan
    found = {
        "width": images[-1].shape[1], "height": images[-1].shape[0],
        "box": [float(v) for v in (sector.box.x, sector.box.y, sector.box.side)],
        "fan": None if fan is None else {
            "apex": [round(float(v), 1) for v in fan.apex], "inner_radius_px": round(float(fan.inner_radius), 1),
            "radius_px": round(float(fan.radius), 1), "half_angle_deg": round(float(np.rad2deg(fan.half_angle)), 1),
        },
        "mm_per_px": mm, "mm_per_px_from": calibration.origin,
        "ticks": {
            "mm_per_px": scale.mm_per_px, "confidence": round(scale.confidence, 2), "count": len(scale.ticks),
            "reason": scale.reason,
        },
    }  # fmt: skip
    picture = np.ascontiguousarray(np.repeat(peak[..., None], 3, axis=2))
    outline, _ = cv2.findContours(sector.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, outline, -1, (0, 229, 255), 1)
    for x, y in scale.ticks:
        cv2.circle(picture, (round(x), round(y)), 4, (255, 200, 90), 1)
    return found, picture, profile
