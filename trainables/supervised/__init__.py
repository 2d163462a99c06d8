"""Training with labels, of teachers and of found networks."""
