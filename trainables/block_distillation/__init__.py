"""DNA: each cell of each block as a supernet distilled from its teacher block, and the rating of all its candidates."""
