"""Lower bounds on the scores of architectures."""
