"""Data sets: their sources, identity, splits and transforms."""
