"""A trained network's Python source, written from a recording of how it was built."""
