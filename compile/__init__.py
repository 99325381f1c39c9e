"""From checkpoint to a deployable artefact: export, quantise, prove."""
