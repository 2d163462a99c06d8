"""Spaces of blocks in a row: blocks, their candidates and costs, networks, and the spaces that ship."""
