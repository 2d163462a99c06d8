"""Costs of modules, such as parameters and multiply-accumulates."""
