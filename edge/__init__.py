"""EchoEdge's runtime: segmentation, regional quality and measurements of echocardiograms at frame rate.

Research use only. `import echoedge` is the way in from Python.
"""

__version__ = "0.1.0"
