"""The fast cell against one that computes each operation of each edge apart."""

import pytest
import torch
from torch import nn

from nasray.search_spaces.cells.cell_network import cell_output, edge_stride
from nasray.search_spaces.cells.cell_operations import operation
from nasray.search_spaces.cells.darts import darts_s0, darts_s1, darts_s3
from nasray.search_spaces.cells.nasbench201 import nasbench201
from nasray.trainables.sd_darts.supernets.mixed_cell import MixedCell

CHANNELS = 4
IMAGES = ((3, 8, 8), 10)
CASES = {
    f"{make.__name__}/{cell_type.name}": (cell_type, make(*IMAGES).pooling_has_norm)
    for make in (nasbench201, darts_s0, darts_s1, darts_s3)
    for cell_type in make(*IMAGES).cell_types
}


class EdgeByEdge(nn.Module):
    """The published form: on every edge the weighted sum of its operations, with non-affine norms."""

    def __init__(self, cell_type, pooling_has_norm):
        super().__init__()
        self.cell_type = cell_type
        self.edges = nn.ModuleList(
            nn.ModuleDict({name: self.build(name, edge.source, pooling_has_norm) for name in edge.operations})
            for edge in cell_type.edges
        )

    def build(self, name, source, pooling_has_norm):
        module = operation(name, CHANNELS, CHANNELS, edge_stride(self.cell_type, source), affine=False)
        if "pool" in name and pooling_has_norm:
            return nn.Sequential(module, nn.BatchNorm2d(CHANNELS, affine=False))
        return module

    def forward(self, inputs, weights):
        sums = {}
        for row, (edge, operations) in enumerate(zip(self.cell_type.edges, self.edges, strict=True)):
            x = inputs[edge.source] if edge.source < len(inputs) else sums[edge.source - len(inputs)]
            for weight, name in zip(weights[row], edge.operations, strict=True):
                sums[edge.node] = sums.get(edge.node, 0) + weight * operations[name](x)
        return cell_output(self.cell_type, [sums[node] for node in sorted(sums)])


def load_from(fast, slow):
    """Gives the fast cell the convolutions of the slow one."""
    for source, fan in enumerate(fast.fans):
        for name, group in fan.groups.items():
            if not list(group.parameters()):
                continue
            branches = [
                slow.edges[row][name][1]
                for row, edge in enumerate(slow.cell_type.edges)
                if edge.source == source and name in edge.operations
            ]
            if hasattr(group, "branches"):
                for ours, theirs in zip(group.branches, branches, strict=True):
                    ours.load_state_dict(theirs.state_dict())
            else:
                with torch.no_grad():
                    group.branch.weight.copy_(torch.cat([branch.weight for branch in branches]))


@pytest.mark.parametrize("case", CASES)
def test_outputs_and_gradients_are_those_of_single_edges(case):
    torch.manual_seed(0)
    cell_type, pooling_has_norm = CASES[case]
    fast = MixedCell(cell_type, CHANNELS, pooling_has_norm=pooling_has_norm).double()
    slow = EdgeByEdge(cell_type, pooling_has_norm).double()
    load_from(fast, slow)
    num_convolution_weights = sum(p.numel() for p in slow.parameters())
    assert sum(p.numel() for p in fast.parameters()) == num_convolution_weights
    inputs = [
        torch.randn(3, CHANNELS, 9, 10, dtype=torch.double, requires_grad=True)
        for _ in range(cell_type.num_inputs)
    ]
    alpha = torch.randn(len(cell_type.edges), cell_type.num_choices, dtype=torch.double, requires_grad=True)
    outputs, gradients = [], []
    for call in (
        lambda weights: fast(tuple(inputs), {cell_type.name: [row.unbind() for row in weights.unbind()]}),
        lambda weights: slow(inputs, weights),
    ):
        outputs.append(call(alpha.softmax(dim=-1)))
        loss = (outputs[-1] ** 3).mean()
        gradients.append(torch.autograd.grad(loss, [alpha, *inputs]))
    torch.testing.assert_close(*outputs)
    torch.testing.assert_close(*gradients)


def test_running_statistics_are_those_of_single_edges():
    cell_type, _ = CASES["nasbench201/cell"]
    fast = MixedCell(cell_type, CHANNELS, pooling_has_norm=False)
    slow = EdgeByEdge(cell_type, pooling_has_norm=False)
    load_from(fast, slow)
    weights = torch.rand(6, 5).softmax(dim=-1)
    scales = {"cell": [row.unbind() for row in weights.unbind()]}
    for _ in range(3):
        x = torch.randn(4, CHANNELS, 8, 8)
        fast((x,), scales)
        slow((x,), weights)
    torch.testing.assert_close(fast.eval()((x,), scales), slow.eval()((x,), weights))
