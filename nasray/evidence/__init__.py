"""Evidence for a ranking: networks trained for real, beside their scores."""
