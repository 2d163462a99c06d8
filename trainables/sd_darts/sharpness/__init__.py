"""Measurements of a supernet: sharpness, noise slope, discretisation gap."""
