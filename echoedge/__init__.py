"""EchoEdge from Python: contours, quality scores and measurements of echocardiograms at frame rate.

>>> import echoedge
>>> from edge.synth.cine import SyntheticLoop
>>> frame = SyntheticLoop(seed=1, view="A4C").frame(0).image  # or your own: HxW or HxWx3 RGB uint8
>>> with echoedge.open_segmenter("pspnet-mk") as segment:
...     mask = segment(frame)  # 0 background, 1 left ventricle, 2 myocardium, 3 left atrium
>>> mask.shape == frame.shape and bool((mask == 1).any())
True
>>> with echoedge.open_scorer("quality") as score:
...     scores = score(frame)  # eight regions, 1 not visible … 5 excellent
>>> scores.shape
(8,)

A model is given by its name or its folder. The sector is found in each frame anew; in a recording, find it once:

>>> sector = echoedge.find_sector([frame])
>>> with echoedge.open_segmenter("pspnet-mk") as segment:
...     masks = [segment(frame, sector) for frame in [frame]]

Every name is imported when it is first used, so that `import echoedge` itself costs nothing. Research use only; not a
medical device.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from edge import __version__

if TYPE_CHECKING:
    from edge.errors import EchoEdgeError
    from edge.nets.model import open_model, open_scorer, open_segmenter
    from edge.refine.refiner import open_refiner
    from edge.screen.sector import find_sector

__all__ = [
    "EchoEdgeError",
    "__version__",
    "find_sector",
    "open_model",
    "open_refiner",
    "open_scorer",
    "open_segmenter",
]

_HOMES = {
    "EchoEdgeError": "edge.errors",
    "find_sector": "edge.screen.sector",
    "open_model": "edge.nets.model",
    "open_refiner": "edge.refine.refiner",
    "open_scorer": "edge.nets.model",
    "open_segmenter": "edge.nets.model",
}
"""Public name -> the module it is defined in."""


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'echoedge' has no attribute '{name}'; it has {', '.join(__all__)}")
    found: object = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
