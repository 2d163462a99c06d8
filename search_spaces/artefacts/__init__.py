"""What a run leaves on disk: names, schemas and readers."""
