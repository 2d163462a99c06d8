"""The schedule of units, in one Tune run."""
