"""The latency of candidates on this machine, measured step by step."""
