"""MLflow: where it is, and what is logged."""
