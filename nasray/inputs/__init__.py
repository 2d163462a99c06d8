"""Inputs of an experiment's units: data, teacher and features, and the units that make the latter two."""
