"""Regional quality and coherence: frames and injected degradation, the classical metrics, both networks' training."""
