"""Self-distillation: snapshots of the supernet as voting teachers."""
