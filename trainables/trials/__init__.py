"""Trials of teachers and of a user's operations, before anything runs."""
