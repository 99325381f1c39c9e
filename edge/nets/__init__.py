"""A model folder on disk and the networks opened from it: manifest, signature, engines, backends."""
