"""Names in a config: the user's own Python objects, the source files behind them, and hints for misspelt ones."""
