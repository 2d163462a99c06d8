"""Units of work, run inside a Ray trial, and the data and teachers that they share."""
