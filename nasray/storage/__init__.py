"""Storage of runs: folders and object stores, mirrors, locks."""
