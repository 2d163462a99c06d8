import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nasray.trainables.sd_darts.sharpness.eigenvalue import dominant_eigenvalue, hessian


def quadratic(eigenvalues, seed=0):
    """A loss with a Hessian of those eigenvalues, spread over two parameters, and the Hessian."""
    size = len(eigenvalues)
    basis, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))
    matrix = torch.from_numpy(basis * eigenvalues @ basis.T)
    parameters = [torch.ones(2, 3, dtype=torch.float64), torch.zeros(size - 6, dtype=torch.float64)]
    for parameter in parameters:
        parameter.requires_grad_()

    def loss():
        values = torch.cat([parameter.flatten() for parameter in parameters])
        return values @ matrix @ values / 2 + values.sum()

    return loss, parameters, matrix.numpy()


SPECTRA = {
    "positive": np.linspace(0.1, 3, 30),
    "larger negative end": np.linspace(-5, 1.5, 30),
    "as at a supernet's start": np.concatenate([np.linspace(-0.119, 0, 29), [0.0095]]),
    "all negative": np.linspace(-2, -0.5, 30),
}


@pytest.mark.parametrize("full_up_to", [64, 0], ids=["full", "lanczos"])
@pytest.mark.parametrize("spectrum", SPECTRA.values(), ids=SPECTRA.keys())
def test_the_eigenvalue_is_the_algebraically_largest(spectrum, full_up_to):
    loss, parameters, _ = quadratic(spectrum)
    found = dominant_eigenvalue(loss, parameters, seed=0, full_up_to=full_up_to)
    assert found == pytest.approx(spectrum.max(), rel=1e-3)


def test_the_hessian_of_a_quadratic_form_is_its_matrix():
    loss, parameters, matrix = quadratic(SPECTRA["larger negative end"])
    found = hessian(loss, parameters)
    np.testing.assert_allclose(found, matrix, atol=1e-12)
    assert np.array_equal(found, found.T)


@pytest.fixture
def supernet_loss():
    """Loss of two mixed layers with batch norm, in single precision, and their alphas: 2 x 40 choices."""
    torch.manual_seed(0)
    alphas = [nn.Parameter(0.5 * torch.randn(4, 10)) for _ in range(2)]
    layers = nn.ModuleList(nn.Conv2d(width, 10 * 4, 3, padding=1) for width in (2, 4))
    head = nn.Linear(4, 3)
    images, labels = torch.randn(32, 2, 6, 6), torch.randint(3, (32,))

    def loss():
        maps = images
        for alpha, layer in zip(alphas, layers, strict=True):
            choices = F.batch_norm(layer(maps), None, None, training=True).unflatten(1, (4, 10))
            maps = torch.tanh((choices * alpha.softmax(-1)[..., None, None]).sum(2))
        return F.cross_entropy(20 * head(maps.mean((2, 3))), labels)

    return loss, alphas


def test_lanczos_agrees_with_the_full_matrix_on_a_supernet(supernet_loss):
    loss, alphas = supernet_loss
    full = dominant_eigenvalue(loss, alphas, seed=0, full_up_to=80)
    lanczos = dominant_eigenvalue(loss, alphas, seed=0)
    assert full > 0
    assert lanczos == pytest.approx(full, rel=1e-3)
    assert lanczos == dominant_eigenvalue(loss, alphas, seed=0)


def test_the_hessian_agrees_with_finite_differences_of_the_gradient(supernet_loss):
    loss, (_, alpha) = supernet_loss
    found = hessian(loss, [alpha])
    for index in (0, 17, 39):
        sides = []
        for step in (1e-2, -1e-2):
            with torch.no_grad():
                alpha.view(-1)[index] += step
            sides.append(torch.autograd.grad(loss(), alpha)[0].flatten())
            with torch.no_grad():
                alpha.view(-1)[index] -= step
        np.testing.assert_allclose(found[index], (sides[0] - sides[1]) / 2e-2, atol=2e-4)


def test_lanczos_repeats_itself_where_the_hessian_has_few_ranks():
    loss, parameters, _ = quadratic(np.array([2.0, 1.0, -1.0] + 37 * [0.0]))
    found = {dominant_eigenvalue(loss, parameters, seed=1, full_up_to=0) for _ in range(3)}
    assert len(found) == 1
    assert found.pop() == pytest.approx(2)


def test_what_has_no_influence_has_no_curvature():
    used, linear, unused = (torch.ones(2, requires_grad=True) for _ in range(3))

    def loss():
        return 3 * used.square().sum() + linear.sum()

    expected = np.zeros((6, 6))
    expected[2:4, 2:4] = 6 * np.eye(2)
    np.testing.assert_allclose(hessian(loss, [unused, used, linear]), expected)
    assert dominant_eigenvalue(loss, [unused, used, linear], seed=0) == pytest.approx(6)
    assert dominant_eigenvalue(loss, [unused, used, linear], seed=0, full_up_to=2) == pytest.approx(6)


@pytest.mark.parametrize("full_up_to", [64, 0])
def test_a_loss_without_curvature_has_eigenvalue_zero(full_up_to):
    parameter = torch.ones(5, requires_grad=True)
    for loss in (parameter.sum, lambda: torch.tensor(1.0), lambda: 0 * parameter.square().sum()):
        assert dominant_eigenvalue(loss, [parameter], seed=0, full_up_to=full_up_to) == 0
        assert not hessian(loss, [parameter]).any()


@pytest.mark.parametrize("full_up_to", [64, 0])
def test_a_diverged_loss_has_no_eigenvalue(full_up_to):
    parameter = torch.zeros(5, requires_grad=True)
    found = dominant_eigenvalue(
        lambda: parameter.log().square().sum(), [parameter], seed=0, full_up_to=full_up_to
    )
    assert np.isnan(found)


def test_attention_has_a_second_derivative():
    tokens = torch.randn(2, 1, 5, 4, generator=torch.Generator().manual_seed(0))
    alphas = torch.tensor([0.5, -0.3], requires_grad=True)

    def loss():
        query, key = alphas[0] * tokens, alphas[1] * tokens
        return F.scaled_dot_product_attention(query, key, tokens).square().sum()

    gradients = []
    for step in (-1e-2, 1e-2):
        moved = (alphas.detach() + torch.tensor([step, 0.0])).requires_grad_()
        query, key = moved[0] * tokens, moved[1] * tokens
        attended = F.scaled_dot_product_attention(query, key, tokens).square().sum()
        gradients.append(torch.autograd.grad(attended, moved)[0].numpy())
    expected = (gradients[1] - gradients[0]) / 2e-2
    np.testing.assert_allclose(hessian(loss, [alphas])[0], expected, rtol=0.02, atol=0.02)
