"""Runs on an object store: mirrored into a local folder, where all work is done."""
