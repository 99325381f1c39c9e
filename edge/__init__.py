"""EchoEdge runtime: segmentation, regional quality and measurements of echocardiograms at frame rate. Research use
only.
"""

from edge.nets.model import open_model
from edge.screen.sector import find_sector

__all__ = ["find_sector", "open_model"]
__version__ = "0.1.0"
