"""EchoEdge from Python: contours, quality scores and measurements of echocardiograms at frame rate.

A recording, or pictures in memory, from the first frame to the last:

>>> import echoedge
>>> result = echoedge.run("synth://a4c?seed=3&fps=30&severity=0&frames=40", view="A4C")  # or "loop.dcm", or an array
>>> result.mask.shape  # frames x height x width: 0 background, 1 left ventricle, 2 myocardium, 3 left atrium
(40, 473, 473)
>>> result.scores.shape  # eight regions, in the order of echoedge.REGIONS: 1 not visible … 5 excellent
(40, 8)
>>> result.view, round(result.ef) in range(40, 75)
('A4C', True)

A signal as it comes, or a long recording:

>>> for frame in echoedge.stream("synth://a4c?seed=3&fps=30&severity=0", view="A4C"):
...     if frame.number == 3:
...         break  # closes the source
>>> int((frame.mask == 1).sum()) > 1000
True

One network on one picture, HxW or HxWx3 RGB uint8:

>>> from edge.synth.cine import SyntheticLoop
>>> picture = SyntheticLoop(seed=1, view="A4C").frame(0).image  # or your own
>>> with echoedge.open_segmenter("pspnet-mk") as segment:
...     mask = segment(picture)
>>> mask.shape == picture.shape and bool((mask == 1).any())
True
>>> with echoedge.open_scorer("quality") as score:
...     scores = score(picture)
>>> scores.shape
(8,)

A model is given by its name or its folder. The sector is found in each picture anew; in a recording, find it once:

>>> sector = echoedge.find_sector([picture])
>>> with echoedge.open_segmenter("pspnet-mk") as segment:
...     masks = [segment(picture, sector) for picture in [picture]]

What cannot be done raises EchoEdgeError, which says what was found, what was expected and what to do. Every name is
imported when it is first used, so that `import echoedge` itself costs nothing. Research use only; not a medical device.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from edge import __version__

if TYPE_CHECKING:
    from echoedge.analysing import run
    from echoedge.frame import AnalysedFrame
    from echoedge.result import Result
    from echoedge.streaming import Stream, stream
    from edge.errors import EchoEdgeError
    from edge.heart.regions import REGIONS
    from edge.nets.model import open_model, open_scorer, open_segmenter
    from edge.refine.refiner import open_refiner
    from edge.screen.sector import find_sector

__all__ = [
    "REGIONS",
    "AnalysedFrame",
    "EchoEdgeError",
    "Result",
    "Stream",
    "__version__",
    "find_sector",
    "open_model",
    "open_refiner",
    "open_scorer",
    "open_segmenter",
    "run",
    "stream",
]

_HOMES = {
    "REGIONS": "edge.heart.regions",
    "AnalysedFrame": "echoedge.frame",
    "EchoEdgeError": "edge.errors",
    "Result": "echoedge.result",
    "Stream": "echoedge.streaming",
    "find_sector": "edge.screen.sector",
    "open_model": "edge.nets.model",
    "open_refiner": "edge.refine.refiner",
    "open_scorer": "edge.nets.model",
    "open_segmenter": "edge.nets.model",
    "run": "echoedge.analysing",
    "stream": "echoedge.streaming",
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
