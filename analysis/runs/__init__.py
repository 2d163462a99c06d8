"""A run's folder as pandas frames, its ranking, and runs beside each other."""
