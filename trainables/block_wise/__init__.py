"""DNA: each cell as a supernet distilled from its teacher block, and the rating of its candidates."""
