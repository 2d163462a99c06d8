"""Training a classifier for real, from its labels."""
