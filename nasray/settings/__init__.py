"""The config of an experiment, its sections, and how it is read."""
