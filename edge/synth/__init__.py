"""Synthetic echocardiograms with exact ground truth."""

from edge.synth.cine import SyntheticFrame, SyntheticLoop
from edge.synth.settings import VIEWS
from edge.synth.truth import quality_label

__all__ = ["VIEWS", "SyntheticFrame", "SyntheticLoop", "quality_label"]
