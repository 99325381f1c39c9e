"""Pictures of every plane with their orientation, to train and judge the quality network's view head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.heart.plane import PLANES
from edge.preprocess import resample, square_around
from edge.synth import SyntheticLoop
from edge.synth.compression import jpeg
from edge.synth.no_heart import NO_HEART, no_heart_picture
from edge.synth.settings import SHORT_AXES, draw_heart, draw_scan, vary_scan
from train.augment import AugmentSpec, affine, look
from train.data.synthetic import wider_settings

Picture = NDArray[np.uint8]
Rng = np.random.Generator
SIZE_PX = 256
DRAW_STREAM = 31
UNKNOWN = -1
FPS = 12.0
"""Few frames a beat: a loop works out the volumes of all of them, and few are looked at."""
SHARES = {
    "A4C": 0.15,
    "A2C": 0.13,
    "A3C": 0.1,
    "A5C": 0.06,
    "PLAX": 0.09,
    "SAX": 0.05,
    "SAX-MV": 0.05,
    "SAX-APEX": 0.04,
    "SAX-AV": 0.05,
    "SUBCOSTAL": 0.08,
    "OBLIQUE": 0.07,
    "no heart": 0.1,
}
"""How often each synthetic picture is drawn. Not a view focused on the right ventricle: it is an apical one that no
label here is right for."""
SIDED = ("A4C", "A2C", "A3C", "A5C", "PLAX", "SUBCOSTAL", "SAX-AV")
"""Planes whose left and right can be told apart; of the others the head need not say whether they are mirrored."""
AUGMENT = AugmentSpec(rotation_deg=9, scale=(0.85, 1.12), aspect=0.08, shift=0.05, gamma=(0.55, 1.9))


@dataclass(frozen=True)
class Labelled:
    """A SIZE_PX x SIZE_PX uint8 picture, its index in PLANES, and 0, 1 or UNKNOWN for mirrored and upside down."""

    picture: Picture
    plane: int
    mirrored: int
    upside_down: int
    source: str


def plane_of(view: str) -> int:
    """Index in PLANES of a synthetic view, or of "no heart"."""
    if view in SHORT_AXES[:-1]:
        return PLANES.index("PSAX")
    if view == "SUBCOSTAL":
        return PLANES.index("subcostal")
    return PLANES.index("other heart" if view == "OBLIQUE" else view)


def synthetic(seed: int, view: str = "", count: int = 3, wide: bool = True, turns: bool = True) -> list[Labelled]:
    """`count` augmented frames of one loop or of one kind of picture without a heart, of a drawn view if none is given.

    With `wide`, half of the loops come from wider draws. Without `turns` nothing is mirrored or upside down.
    """
    rng = np.random.default_rng([seed, DRAW_STREAM])
    drawn = str(rng.choice(list(SHARES), p=np.array(list(SHARES.values())) / sum(SHARES.values())))
    view = view or drawn
    if view == "no heart":
        kinds = [str(rng.choice(NO_HEART)) for _ in range(count)]
        pictures = [no_heart_picture(seed * 10 + k, kind, SIZE_PX) for k, kind in enumerate(kinds)]
    else:
        heart, scan = draw_heart(seed, view), draw_scan(seed, view)
        if wide and rng.random() < 0.5:
            apical = view in ("A4C", "A2C", "A3C", "A5C")
            scan = replace(wider_settings(seed, view)[1], depth=scan.depth)
            heart = wider_settings(seed, view)[0] if apical else heart
        loop = SyntheticLoop(seed, view, SIZE_PX + 24, FPS, heart=heart, scan=vary_scan(scan, seed))
        numbers = rng.integers(0, loop.frames_per_beat, count)
        pictures = [in_box(loop.frame(int(number)).image, loop.sector) for number in numbers]
    sided = view in SIDED
    return [augmented(p, plane_of(view), sided, rng, f"synth {view} {seed}", turns) for p in pictures]


def in_box(image: Picture, sector: NDArray[np.bool_] | None = None) -> Picture:
    """SIZE_PX x SIZE_PX crop of the square around a sector (HxW bool; where nothing is given, around what is lit)."""
    seen = image > 8 if sector is None else sector
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    if not len(rows):
        rows, columns = np.array([0, image.shape[0] - 1]), np.array([0, image.shape[1] - 1])
    box = square_around(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    return resample(image, box, SIZE_PX, cv2.INTER_AREA)


def augmented(picture: Picture, plane: int, sided: bool, rng: Rng, source: str, turns: bool = True) -> Labelled:
    """One more look of a picture; half of them mirrored, three of ten upside down."""
    if rng.random() < 0.8:
        matrix = affine(SIZE_PX, SIZE_PX, rng, AUGMENT)
        picture = np.asarray(cv2.warpAffine(picture, matrix, (SIZE_PX, SIZE_PX), flags=cv2.INTER_LINEAR), np.uint8)
        picture = look(picture, rng, AUGMENT)
    elif rng.random() < 0.5:
        picture = jpeg(picture, int(rng.integers(40, 95)))
    mirrored, upside_down = turns and rng.random() < 0.5, turns and rng.random() < 0.3
    heart = plane != PLANES.index("no heart")
    return turned(picture, plane, mirrored, upside_down, source, sided and heart, heart)


def turned(
    picture: Picture, plane: int, mirrored: bool, upside_down: bool, source: str, sided: bool = True, heart: bool = True
) -> Labelled:
    """A picture flipped as said, with the labels of that."""
    picture = picture[:: -1 if upside_down else 1, :: -1 if mirrored else 1]
    return Labelled(
        np.ascontiguousarray(picture),
        plane,
        int(mirrored) if sided else UNKNOWN,
        int(upside_down) if heart else UNKNOWN,
        source,
    )


def _rotated(picture: Picture, rng: Rng) -> Picture:
    return np.asarray(np.rot90(picture, int(rng.choice([1, 3]))), np.uint8)


def _zoomed(picture: Picture, rng: Rng) -> Picture:
    side = int(len(picture) / rng.uniform(2.4, 3.4))
    x, y = len(picture) // 2 - side // 2 + int(rng.uniform(-0.1, 0.1) * side), int(rng.uniform(0.0, 0.25) * side)
    return np.asarray(cv2.resize(picture[y : y + side, x : x + side], picture.shape[::-1]), np.uint8)


def _inverted(picture: Picture, rng: Rng) -> Picture:
    lit = cv2.morphologyEx((picture > 8).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8))
    return np.asarray((255 - picture) * lit if rng.random() < 0.7 else 255 - picture, np.uint8)


def _blurred(picture: Picture, rng: Rng) -> Picture:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), len(picture) * rng.uniform(0.014, 0.03)), np.uint8)


def _half_black(picture: Picture, rng: Rng) -> Picture:
    out: Picture = picture.copy()
    half = len(picture) // 2 + int(rng.uniform(-0.05, 0.05) * len(picture))
    side = int(rng.integers(3))
    out[(slice(None, half), slice(half, None), slice(None))[side], (slice(None), slice(None), slice(half))[side]] = 0
    return out


def _squeezed(picture: Picture, rng: Rng) -> Picture:
    side, width = len(picture), int(len(picture) * rng.uniform(0.4, 0.55))
    out = np.zeros_like(picture)
    out[:, (side - width) // 2 : (side - width) // 2 + width] = cv2.resize(picture, (width, side))
    return out


DAMAGES: dict[str, Callable[[Picture, Rng], Picture]] = {
    "rotated": _rotated,
    "zoomed": _zoomed,
    "inverted": _inverted,
    "blurred": _blurred,
    "half black": _half_black,
    "squeezed": _squeezed,
}
"""What makes a picture of a heart that is not to be measured; "other heart" in training."""


def real(image: Picture, view: str, source: str, seed: int, copies: int = 5) -> list[Labelled]:
    """Augmented copies of a real apical frame (HxW uint8), and one of each of two damages."""
    rng = np.random.default_rng([seed, DRAW_STREAM, 1])
    picture, plane = in_box(image), PLANES.index(view)
    out = [augmented(picture, plane, True, rng, source) for _ in range(copies)]
    for name in rng.choice(list(DAMAGES), 2, replace=False):
        damaged = DAMAGES[str(name)](picture, rng)
        made = augmented(damaged, PLANES.index("other heart"), False, rng, f"{source} {name}")
        out.append(replace(made, upside_down=UNKNOWN))
    return out
