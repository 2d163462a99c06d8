"""What tells the devices apart between which numbers differ by rounding."""

import torch


def device_name(device: torch.device | str) -> str:
    """The GPU's model, or the CPU's vector instructions, by which torch and its libraries choose their kernels."""
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU ({torch.backends.cpu.get_cpu_capability()})"
