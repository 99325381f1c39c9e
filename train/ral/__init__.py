"""RAL, segmentation and view with memory over time: clips, loss, score and training."""
