"""The Ray cluster: joined or local, its token, the check of its nodes."""
