"""DNA++: each cell as a supernet that learns without labels from its own moving average; rating by the population."""
