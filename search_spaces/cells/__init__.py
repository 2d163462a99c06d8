"""Spaces of repeated cells: kinds of cells, genotypes, networks, DARTS and NAS-Bench-201."""
