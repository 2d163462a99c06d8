"""Comparisons of several searches: methods, generations, strategies."""
