"""Sections of the report, a file each."""
