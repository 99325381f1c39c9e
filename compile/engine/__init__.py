"""ONNX to TensorRT engines, and the race that INT8 has to win."""
