"""The family study: several methods search one space, and one set of networks, trained for real, judges them all."""
