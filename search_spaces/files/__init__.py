"""Files: written whole, checked for damage, YAML as plain data."""
