"""Running what is missing of a plan, shown and tracked."""
