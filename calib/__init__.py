"""Calibration frames: chosen, fed, reported on and compared with live frames."""
