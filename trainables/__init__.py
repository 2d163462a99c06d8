"""What runs inside a Ray trial: the units of work of a search, and the data and teachers that they share."""
