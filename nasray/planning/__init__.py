"""Plans: the units of work that a config asks for."""
