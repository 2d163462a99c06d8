"""Artefacts of a run: names, schemas and readers of what it leaves on disk."""
