"""A probe of a teacher: some numbers of what it computes from a fixed image, to which it is held later."""

from collections.abc import Sequence
from importlib.metadata import version

import torch

from nasray.errors import UserError
from nasray.trainables.cutting.cutting import CutTeacher

Probe = tuple[tuple[float, ...], ...]
"""Per boundary from 1 on, values at places spread evenly over the features of one image."""
_NUM_VALUES = 16
_TOLERANCE = 1e-3  # of their root mean square; kernels and threads change a millionth
_LIBRARIES = ("torch", "torchvision")


def library_versions() -> dict[str, str]:
    """The versions of the libraries that teachers compute with."""
    return {name: version(name) for name in _LIBRARIES}


@torch.no_grad()
def take_probe(teacher: CutTeacher) -> Probe:
    """The probe of a teacher on the CPU."""
    shape = (1, *teacher.feature_shapes[0])
    # A wave, since generators of random numbers may differ between versions as well.
    image = torch.arange(torch.Size(shape).numel(), dtype=torch.float32).mul(0.7).sin().view(shape)
    return tuple(
        tuple(values[:: -(-len(values) // _NUM_VALUES)].tolist())
        for values in (
            features.float().flatten() for features in teacher.features(image, len(teacher.pieces))[1:]
        )
    )


def check_probe(teacher: CutTeacher, written: Probe, cuts: Sequence[str], versions: dict[str, str]) -> None:
    """Hold a teacher to its probe.

    Args:
        teacher: On the CPU.
        written: Its probe when it was made.
        cuts: The names of its cuts, for the message.
        versions: What it was made with.

    Raises:
        UserError: It computes something else.
    """
    places = [*(f"cut {name!r}" for name in cuts), "the output"]
    for place, before, now in zip(places, written, take_probe(teacher), strict=True):
        expected, got = torch.tensor(before), torch.tensor(now)
        scale = expected.square().mean().sqrt()
        if expected.shape != got.shape or not bool(((got - expected).abs() <= _TOLERANCE * scale).all()):
            here = library_versions()
            told = ", ".join(f"{name} {versions[name]} then and {here[name]} now" for name in sorted(here))
            raise UserError(
                f"the teacher must compute what it computed when it was made, but at {place} it gives other values "
                f"here ({told}): go on with the libraries that the run was made with, see its environment.json, or "
                "search under a name of its own (name=...)"
            )
