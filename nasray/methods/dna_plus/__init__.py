"""DNA+: searches in a row, each with what the one before found, scaled, as its teacher."""
