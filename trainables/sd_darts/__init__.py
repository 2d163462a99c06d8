"""SD-DARTS: differentiable search whose supernet learns from its own earlier self."""
