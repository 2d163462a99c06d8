"""What tells how far a ranking can be trusted: networks trained for real, beside what was said of them."""
