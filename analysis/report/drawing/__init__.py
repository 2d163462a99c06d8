"""Charts of the report: axes, marks, colours."""
