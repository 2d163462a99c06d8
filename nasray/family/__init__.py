"""The family study: several methods search one space, judged by one set of networks trained for real."""
