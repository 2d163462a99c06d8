"""Out of the door: a trained network as a folder that needs no nasray, and as an MLflow model."""
