"""Results as a person reads them on the terminal."""
