"""Calibration frames: chosen, fed and reported on."""
