"""A search in its stages, and the parts that several searches share."""
