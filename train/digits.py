"""What `edge.screen.digits` compares characters with: `python -m train.digits FONT.ttf … --out edge/screen/digits.npz`.

The shipped file was made of LiberationSans-Regular, LiberationSans-Bold, LiberationSansNarrow-Bold, DejaVuSans,
DejaVuSans-Bold and DejaVuSansMono, beside OpenCV's own strokes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from edge.screen.digits import BRIGHT, CHARACTERS, normalised

HEIGHTS_PX, BLURS_PX = (9, 12, 18), (0.0, 0.7)
"""Sizes that a character is drawn in, and how much each is blurred, as scaling and compression do."""
STROKES = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_PLAIN, cv2.FONT_HERSHEY_DUPLEX)


BARE_ONES = (
    ((0.50, 0.0), (0.30, 0.16), (0.0, 0.20), (0.0, 0.40), (0.45, 0.33), (0.45, 1.0), (0.85, 1.0), (0.85, 0.0)),
    ((0.60, 0.0), (0.40, 0.15), (0.0, 0.28), (0.0, 0.40), (0.50, 0.25), (0.50, 1.0), (0.80, 1.0), (0.80, 0.0)),
    ((0.62, 0.0), (0.0, 0.27), (0.12, 0.38), (0.55, 0.18), (0.55, 1.0), (0.80, 1.0), (0.80, 0.0)),
)
"""Outlines of a 1 without a foot, as shares of its height: the fonts that may be had freely give it one."""


def bare_ones(height_px: int) -> Iterator[NDArray[np.uint8]]:
    for outline in BARE_ONES:
        for narrow in (0.6, 0.75):
            large = np.zeros((4 * 8 * height_px, 4 * 8 * height_px), np.uint8)
            points = np.array(outline) * (narrow * 8 * height_px, 8 * height_px) + 8 * height_px
            cv2.fillPoly(large, [np.round(points).astype(np.int32)], 255)
            yield np.asarray(cv2.resize(large, None, fx=1 / 8, fy=1 / 8, interpolation=cv2.INTER_AREA), np.uint8)


def drawn(fonts: list[Path]) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """(character, its picture, white on black) in every font and size."""
    for height_px in HEIGHTS_PX:
        yield from (("1", picture) for picture in bare_ones(height_px))
        for character in CHARACTERS:
            for path in fonts:
                font = ImageFont.truetype(str(path), round(1.4 * height_px))
                picture = Image.new("L", (4 * height_px, 4 * height_px))
                ImageDraw.Draw(picture).text((height_px, height_px), character, fill=255, font=font)
                yield character, np.asarray(picture)
            for face in STROKES:
                stroke = np.zeros((4 * height_px, 4 * height_px), np.uint8)
                scale = cv2.getFontScaleFromHeight(face, height_px, 1)
                cv2.putText(stroke, character, (height_px, 3 * height_px), face, scale, 255, 1, cv2.LINE_AA)
                yield character, stroke


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("fonts", type=Path, nargs="+")
    p.add_argument("--out", type=Path, required=True)
    args = p.parse_args()
    names, pictures, aspects = [], [], []
    for character, sharp in drawn(args.fonts):
        for blur_px in BLURS_PX:
            picture = cv2.GaussianBlur(sharp, (0, 0), blur_px) if blur_px else sharp
            x, y, width, height = cv2.boundingRect((picture > BRIGHT).astype(np.uint8))
            names.append(CHARACTERS.index(character))
            pictures.append(normalised(np.ascontiguousarray(picture[y : y + height, x : x + width])))
            aspects.append(width / height)
    np.savez_compressed(
        args.out,
        characters=np.array(names, np.uint8),
        pictures=np.round(255 * np.array(pictures)).astype(np.uint8),
        aspects=np.array(aspects, np.float32),
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
