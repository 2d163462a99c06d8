"""Data sets: a file for each step from what lies on disk to a batch, and for what a data set is known by."""
