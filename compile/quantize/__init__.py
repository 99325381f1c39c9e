"""FP32 to INT8 and FP16: ranges, equalised channels, Q/DQ, and the layers that suffer most."""
