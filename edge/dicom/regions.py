"""Codes of ultrasound regions (PS3.3, C.8.5.5)."""

TISSUE = 1
"""Region Data Type (0018,6014): two-dimensional tissue."""
CENTIMETRES = 3
"""Physical Units X/Y Direction (0018,6024/6026)."""
