"""The settings of what runs in a unit: pydantic models."""
