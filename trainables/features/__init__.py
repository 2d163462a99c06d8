"""The teacher's features: cached on disk or computed as needed."""
