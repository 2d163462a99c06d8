"""From a config to units of work."""
