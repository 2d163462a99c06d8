import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models.vision_transformer import EncoderBlock

from nasray.search_spaces.costs.cost import measure
from nasray.search_spaces.operations.attention import ATTENTION_OPERATIONS, Depthwise, TransformerLayer
from nasray.search_spaces.operations.shipped import zero_init_residual


@pytest.mark.parametrize(("in_channels", "out_channels", "stride"), [(8, 8, 1), (3, 8, 2), (8, 5, 1)])
@pytest.mark.parametrize("name", [name for name in ATTENTION_OPERATIONS if name != "patch"])
def test_every_layer_takes_every_change_of_shape(name, in_channels, out_channels, stride):
    module = ATTENTION_OPERATIONS[name](in_channels, out_channels, stride)
    maps = torch.randn(2, in_channels, 9, 6)
    before = maps.clone()
    output = module(maps)
    assert output.shape == (2, out_channels, -(-9 // stride), -(-6 // stride))
    assert output.isfinite().all()
    assert torch.equal(maps, before)


def test_a_patch_is_a_token():
    patches = ATTENTION_OPERATIONS["patch"](1, 6, 4)
    assert patches(torch.randn(2, 1, 8, 12)).shape == (2, 6, 2, 3)


def test_a_layer_is_the_encoder_layer_of_vit():
    torch.manual_seed(0)
    theirs = EncoderBlock(3, 48, 96, dropout=0.0, attention_dropout=0.0).eval()
    ours = TransformerLayer(48, 48, 1, heads=3, head_size=16, ratio=2)
    with torch.no_grad():
        ours.attention.branch.query_key_value.weight.copy_(theirs.self_attention.in_proj_weight)
        ours.attention.branch.query_key_value.bias.copy_(theirs.self_attention.in_proj_bias.normal_())
        ours.attention.branch.projection.load_state_dict(theirs.self_attention.out_proj.state_dict())
        ours.perceptron.branch.expand.load_state_dict(theirs.mlp[0].state_dict())
        ours.perceptron.branch.project.load_state_dict(theirs.mlp[3].state_dict())
        ours.attention.norm.load_state_dict(theirs.ln_1.state_dict())
        ours.perceptron.norm.load_state_dict(theirs.ln_2.state_dict())
        for ours_norm, theirs_norm in (
            (ours.attention.norm, theirs.ln_1),
            (ours.perceptron.norm, theirs.ln_2),
        ):
            ours_norm.eps = theirs_norm.eps
        maps = torch.randn(2, 48, 3, 5)
        expected = theirs(maps.flatten(2).transpose(1, 2)).transpose(1, 2).unflatten(2, (3, 5))
        torch.testing.assert_close(ours(maps), expected)


def test_macs_count_the_products_of_attention():
    layer = TransformerLayer(48, 48, 1, heads=2, head_size=16, ratio=4)
    tokens, inner = 16, 32
    linear = tokens * (48 * 3 * inner + inner * 48 + 2 * 48 * 4 * 48)
    assert measure(layer, (48, 4, 4)).num_macs == linear + 2 * tokens * tokens * inner


def test_zero_initialised_layers_are_the_identity_and_learn():
    layers = nn.Sequential(*(ATTENTION_OPERATIONS["att2x16r2c"](8, 8, 1) for _ in range(2)))
    maps = torch.randn(2, 8, 3, 3)
    assert not torch.allclose(layers(maps), maps)
    zero_init_residual(layers)
    assert torch.equal(layers(maps), maps)
    F.mse_loss(layers(maps), torch.randn(2, 8, 3, 3)).backward()
    assert layers[0].attention.scale.weight.grad.abs().max() > 0


def test_tokens_know_their_neighbours():
    """Without a convolution a layer does not know where tokens stand; with one it does."""
    torch.manual_seed(0)
    maps = torch.randn(1, 8, 3, 3)
    moved = maps.flatten(2)[:, :, torch.randperm(9, generator=torch.Generator().manual_seed(1))].unflatten(
        2, (3, 3)
    )
    blind, seeing = (ATTENTION_OPERATIONS[name](8, 8, 1).eval() for name in ("att2x16r2", "att2x16r2c"))
    assert torch.allclose(blind(maps).mean((2, 3)), blind(moved).mean((2, 3)), atol=1e-6)
    assert not torch.allclose(seeing(maps).mean((2, 3)), seeing(moved).mean((2, 3)), atol=1e-4)
    assert isinstance(seeing.perceptron.branch.depthwise, Depthwise)
