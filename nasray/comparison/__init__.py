"""Comparisons: arms, each a whole search, in several spaces and with several seeds, judged by trained networks."""
