"""How good a model is on annotated data: metrics, and the commands `echoedge evaluate …`."""
