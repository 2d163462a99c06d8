"""Differentiable supernets of chain and cell spaces."""
