"""Gaussian and Bernoulli diffusion over masks: processes, losses, sampling, fusion of samples."""
