"""How long networks of a space take on a device."""
