"""The vocabulary of a search: candidates, blocks, spaces, their costs and the table of their ratings."""
