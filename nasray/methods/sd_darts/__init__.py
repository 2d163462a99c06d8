"""SD-DARTS: differentiable search with self-distillation and voting teachers."""
