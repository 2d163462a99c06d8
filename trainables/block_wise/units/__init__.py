"""The units of a block-wise search: training and rating of cells, and what is measured of trained blocks."""
