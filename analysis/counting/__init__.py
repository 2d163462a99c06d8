"""Counting architectures: how many are feasible, how many are better, which scores they have."""
