"""The faults of `chaos.py`."""
