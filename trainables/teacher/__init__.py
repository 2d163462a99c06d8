"""The teacher: built, trained, judged by labels."""
