"""This account's private folders and notes, and the runs that it trusts."""
