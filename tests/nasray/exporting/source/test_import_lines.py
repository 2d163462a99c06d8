from nasray.exporting.source.import_lines import ImportLines


def test_order_and_packages():
    lines = ImportLines()
    lines.add_from("torch", "nn")
    lines.add_from("torch", "Tensor")
    lines.add_from("torch", "nn", "nn")
    lines.add_from("collections", "OrderedDict", "Ordered")
    lines.add("torch.nn.functional", "F")
    lines.add("math")
    lines.add_from("einops", "rearrange")
    assert lines.text == (
        "import math\n"
        "from collections import OrderedDict as Ordered\n"
        "\n"
        "import torch.nn.functional as F\n"
        "from einops import rearrange\n"
        "from torch import Tensor, nn"
    )
    assert lines.packages == ["einops", "torch"]
