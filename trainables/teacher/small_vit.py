"""A small vision transformer as a teacher: torchvision's, with its class token, for small images."""

from torch import nn
from torchvision.models.vision_transformer import VisionTransformer

from nasray.errors import UserError

PATCH_SIZE = 2
NUM_LAYERS, NUM_HEADS, WIDTH = 6, 4, 64


def small_vit(input_shape: tuple[int, int, int], num_classes: int) -> VisionTransformer:
    """Six encoder layers of 64 features on patches of 2 x 2 pixels, for square images of a few pixels.

    Source: ViT (Dosovitskiy et al., ICLR 2021, arXiv 2010.11929) as torchvision builds it, in sizes of our own.

    Raises:
        UserError: The images are not square, or no multiple of the patches.
    """
    channels, height, width = input_shape
    if height != width or height % PATCH_SIZE:
        raise UserError(
            f"small_vit takes square images of a multiple of {PATCH_SIZE} pixels, got {height}x{width}: "
            "set data.image_size"
        )
    model = VisionTransformer(
        image_size=height,
        patch_size=PATCH_SIZE,
        num_layers=NUM_LAYERS,
        num_heads=NUM_HEADS,
        hidden_dim=WIDTH,
        mlp_dim=2 * WIDTH,
        num_classes=num_classes,
    )
    model.conv_proj = nn.Conv2d(channels, WIDTH, PATCH_SIZE, PATCH_SIZE)  # torchvision's takes three channels
    return model
