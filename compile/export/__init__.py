"""Checkpoints to ONNX: the only room of `compile` that knows torch and the networks."""
