"""Sweeps: Optuna searches for the settings of one unit of work."""
