"""The sharpness of the loss in the architecture parameters: the largest eigenvalue of its Hessian.

Source: RobustDARTS (Zela et al., ICLR 2020, arXiv 1909.09656), section 4. Deviation: the Hessian is that of the loss
alone; the released code adds the alphas' weight decay to its diagonal, which shifts all eigenvalues by that constant.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from nasray.trainables.core.guards.watchdog import step_made

# Relative to the eigenvalue, of which a batch of images gives no more digits.
_TOLERANCE = 1e-4
_MOST_RESTARTS = 50


def dominant_eigenvalue(
    loss: Callable[[], Tensor], parameters: Sequence[Tensor], *, seed: int, full_up_to: int = 64
) -> float:
    """The algebraically largest eigenvalue of the Hessian of the loss, which may be negative.

    It is not the largest in magnitude, which power iteration would find: at its start a supernet often has larger
    eigenvalues on the negative side.

    Args:
        loss: Gives the scalar loss at the present values; called once.
        parameters: What the Hessian is taken over.
        seed: Of the random vectors of Lanczos.
        full_up_to: Number of values in `parameters` up to which the whole matrix is computed; above, Lanczos.

    Returns:
        The eigenvalue; not a number where the loss has no finite gradient, or Lanczos does not settle.
    """
    curvature = _Curvature(loss, parameters)
    if not curvature.is_finite:
        return float("nan")
    if curvature.size <= max(full_up_to, 1):
        return float(np.linalg.eigvalsh(curvature.matrix())[-1])
    return _largest_by_lanczos(curvature, np.random.default_rng(seed))


def hessian(loss: Callable[[], Tensor], parameters: Sequence[Tensor]) -> np.ndarray:
    """The Hessian [n, n] of the scalar loss over all n values of the parameters, symmetric; calls the loss once."""
    return _Curvature(loss, parameters).matrix()


def _largest_by_lanczos(curvature: "_Curvature", rng: np.random.Generator) -> float:
    start = rng.standard_normal(curvature.size)
    # ARPACK takes a product of zero for a mistake; of a random vector only a matrix of zeros gives it.
    if not curvature.product(start).any():
        return 0.0
    operator = LinearOperator((curvature.size,) * 2, matvec=curvature.product, dtype=np.float64)
    try:
        found = eigsh(
            operator,
            k=1,
            which="LA",
            v0=start,
            tol=_TOLERANCE,
            maxiter=_MOST_RESTARTS,
            rng=rng,
            return_eigenvectors=False,
        )
    except ArpackNoConvergence:  # where the positive end is lost in the rounding errors of the negative one
        return float("nan")
    return float(found[0])


class _Curvature:
    """Products of a loss's Hessian with vectors, all of them from one graph.

    Attributes:
        size: Number of values that the Hessian is taken over.
        is_finite: Whether the gradient is.
    """

    def __init__(self, loss: Callable[[], Tensor], parameters: Sequence[Tensor]) -> None:
        self._parameters = parameters
        self.size = sum(parameter.numel() for parameter in parameters)
        with sdpa_kernel(SDPBackend.MATH):  # fused attention has no second derivative
            value = loss()
        if value.requires_grad:
            gradients = torch.autograd.grad(value, parameters, create_graph=True, materialize_grads=True)
        else:
            gradients = tuple(map(torch.zeros_like, parameters))
        self._gradient = _flat(gradients)
        self.is_finite = bool(self._gradient.isfinite().all())

    def product(self, vector: np.ndarray) -> np.ndarray:
        """The Hessian times a vector [n]."""
        step_made()
        # A gradient that is a constant: the loss is linear in the parameters, or does not depend on them.
        if not self._gradient.requires_grad:
            return np.zeros(self.size)
        rows = torch.autograd.grad(
            self._gradient,
            self._parameters,
            torch.from_numpy(vector).to(self._gradient),
            retain_graph=True,
            materialize_grads=True,
        )
        return _flat(rows).double().cpu().numpy()

    def matrix(self) -> np.ndarray:
        """The Hessian [n, n]; symmetric, since rounding is averaged out."""
        rows = np.stack([self.product(unit) for unit in np.eye(self.size)])
        return (rows + rows.T) / 2


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.reshape(-1) for tensor in tensors])
