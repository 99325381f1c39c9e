"""Latency that can be believed: measured in turn, with what the machine did meanwhile, and refused where it was
disturbed.
"""
