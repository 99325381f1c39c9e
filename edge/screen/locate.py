"""`echoedge locate`: what is found on a scanner's screen, as JSON and as a picture to look at."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np

from edge.errors import EchoEdgeError, SourceError
from edge.preprocess import Frame, grey
from edge.screen.calibration import CLICKED, TYPED, calibrate, depth_from_points
from edge.screen.pick import Points, pick_points
from edge.screen.profile import Profile, profile_of, save_profile
from edge.screen.tracker import LOCATE_FRAMES, SectorTracker
from edge.sources import open_source


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge locate",
        description="Find the sector and the depth scale on a scanner's screen.",
        epilog="example: echoedge locate loop.dcm --png found.png; "
        "echoedge locate loop.mp4 --distance-mm 50 --save ward-3",
    )
    p.add_argument("source", help="as for `echoedge run`")
    p.add_argument("--png", type=Path, help="draw what was found")
    p.add_argument("--depth-cm", type=float, default=0.0, help="imaging depth, where the ticks do not tell")
    p.add_argument(
        "--distance-mm",
        type=float,
        default=0.0,
        help="the distance of two points, such as ticks or callipers: click them in a window, or give --points",
    )
    p.add_argument("--points", type=_points, metavar="X1,Y1,X2,Y2", help="these two points in pixels, without a window")
    p.add_argument("--save", metavar="NAME", help="keep this screen for `echoedge run --profile NAME`")
    return p


def _points(text: str) -> Points:
    values = [float(value) for value in text.split(",")]
    if len(values) != 4:
        raise argparse.ArgumentTypeError(f"'{text}' are no two points; write X1,Y1,X2,Y2 in pixels")
    return (values[0], values[1]), (values[2], values[3])


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    if args.points and not args.distance_mm:
        raise EchoEdgeError("--points needs their distance: --distance-mm 50")
    if args.distance_mm and args.depth_cm:
        raise EchoEdgeError("--distance-mm and --depth-cm both tell the scale; give one")
    picker = (lambda _: args.points) if args.points else pick_points
    found, picture, profile = locate(args.source, args.depth_cm, args.save or "", args.distance_mm, picker)
    if profile is not None:
        found["profile"] = str(save_profile(profile))
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(found)).decode() + "\n")
    if args.png:
        args.png.parent.mkdir(parents=True, exist_ok=True)
        _, packed = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        args.png.write_bytes(packed.tobytes())
    return 0


def locate(
    uri: str,
    depth_cm: float = 0.0,
    name: str = "",
    distance_mm: float = 0.0,
    picker: Callable[[Frame], Points] = pick_points,
) -> tuple[dict[str, Any], np.ndarray, Profile | None]:
    """(what was found, RGB picture of it, a profile of that name) on the first frames of a source.

    The scale comes from the source, else from `depth_cm` or from `distance_mm` between the points that `picker` is told
    on the picture, else from the ticks where they are sure; where two of them disagree, and without any, it is null.

    Raises SourceError where there is no sector, or another screen than B-mode.
    """
    with open_source(uri) as source:
        images = [frame.image.copy() for frame in islice(source, LOCATE_FRAMES)]
        stated, region = source.stated, source.region
    if not images:
        raise SourceError(f"{uri} holds no frames")
    tracker = SectorTracker(region)
    sector = tracker.find(images)
    scale = tracker.scale
    peak = np.max([grey(image) for image in images if image.shape == images[-1].shape], axis=0)
    picture = np.ascontiguousarray(np.repeat(peak[..., None], 3, axis=2))
    points = picker(picture) if distance_mm else None
    if points is not None:
        depth_cm = depth_from_points(*points, distance_mm, sector)
    calibration = calibrate(sector, scale, stated, depth_cm, TYPED if points is None else CLICKED)
    mm = calibration.spacing_mm
    profile = profile_of(name, sector, scale, mm[0] if mm else None, depth_cm) if name else None
    fan = sector.fan
    found = {
        "width": images[-1].shape[1],
        "height": images[-1].shape[0],
        "box": [float(v) for v in (sector.box.x, sector.box.y, sector.box.side)],
        "fan": None
        if fan is None
        else {
            "apex": [round(float(v), 1) for v in fan.apex],
            "inner_radius_px": round(float(fan.inner_radius), 1),
            "radius_px": round(float(fan.radius), 1),
            "half_angle_deg": round(float(np.rad2deg(fan.half_angle)), 1),
        },
        "mm_per_px": mm,
        "mm_per_px_from": calibration.origin,
        "mm_per_px_refused": calibration.reason,
        "depth_cm": round(mm[0] / sector.spacing_from_depth(1.0)[0], 2) if mm else None,
        "ticks": {
            "mm_per_px": scale.mm_per_px,
            "confidence": round(scale.confidence, 2),
            "count": len(scale.ticks),
            "reason": scale.reason,
        },
    }
    picture[~sector.mask] = 0  # files hold no more of a screen than the sector
    outline, _ = cv2.findContours(sector.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, outline, -1, (0, 229, 255), 1)
    for x, y in scale.ticks:
        cv2.circle(picture, (round(x), round(y)), 4, (255, 200, 90), 1)
    for x, y in points or ():
        cv2.drawMarker(picture, (round(x), round(y)), (255, 200, 90), cv2.MARKER_CROSS, 14, 1)
    return found, picture, profile
