"""Training: data sets, networks, losses, the fit loop, evaluation and the papers' tables."""
