"""The shipped configs, so that an installed nasray finds them by name."""
