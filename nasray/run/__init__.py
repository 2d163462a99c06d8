"""A run's folder: its files, its origins, its environment, its ranking."""
