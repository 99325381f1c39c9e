"""The 90 % intervals of EF, for the networks that they were fitted to. Written by

echoedge evaluate --model models/pspnet-mk --precision int8 --data camus:CAMUS
    --data folder:A2C --split split_valid.txt --fit-interval models/quality edge/heart/fitted.py
"""

from __future__ import annotations

from collections.abc import Mapping

from edge.heart.interval import Fit

NETWORKS: Mapping[str, str] = {"pspnet-mk": "8e8a34d5cfa5", "quality": "724d17755c67"}
"""Name and the beginning of the sha256 of the FP32 file of segmentation and quality net."""
ONE_PLANE = Fit(half_percent=10.65, least_quality=3.05, patients=50, coverage=0.902)
BIPLANE = Fit(half_percent=7.02, least_quality=2.97, patients=50, coverage=0.9)
