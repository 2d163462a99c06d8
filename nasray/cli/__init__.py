"""The console command `nasray`."""

from nasray.cli.entry import main

__all__ = ["main"]
