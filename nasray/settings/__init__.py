"""The config of an experiment, a file for each of its sections and for each step of reading it."""
