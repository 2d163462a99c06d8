"""The console command `nasray`."""
