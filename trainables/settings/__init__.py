"""The settings of what runs in a unit: a file of pydantic models for each."""
