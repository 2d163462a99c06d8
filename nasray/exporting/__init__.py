"""Exports of trained networks: a folder that needs no nasray, and an MLflow model."""
