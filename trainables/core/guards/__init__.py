"""What guards a unit: failures told apart, exits turned into errors, a watchdog, notes for the user."""
