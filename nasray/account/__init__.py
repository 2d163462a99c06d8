"""What is private to this account, and what it trusts."""
