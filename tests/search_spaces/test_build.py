import sys

import pytest
import torch
import yaml
from pydantic import ValidationError

from nasray.search_spaces.architecture import Architecture
from nasray.search_spaces.build import SHIPPED_CELL_SPACES, build_space
from nasray.search_spaces.settings import SpaceConfig

IMAGES = ((3, 16, 16), 5)
DECLARED = """
source: declared
stem: [{operation: conv3, width: 8, stride: 2}]
head_width: 32
dropout: 0.1
operations: {shuffle: declared_operations:shuffle}
blocks:
  - stride: 1
    operations: [mb3k3, sep3]
    cells:
      - {depth: 1, width: 8}
      - {depth: 2, width: 12, operations: [skip, shuffle]}
  - stride: 2
    cells:
      - {depth: 2, width: 16, operations: [[conv3, mb6k5se], [skip, shuffle, conv1]]}
"""
OWN_OPERATIONS = """
from torch import nn

NUMBER = 3

def shuffle(in_channels, out_channels, stride):
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride), nn.ReLU())

def unpadded(in_channels, out_channels, stride):
    return nn.Conv2d(in_channels, out_channels, 3, stride)
"""
OWN_SPACE = """
from nasray.search_spaces.chain.mbconv import digits
from nasray.search_spaces.cells.nasbench201 import nasbench201

def of_cells(input_shape, num_classes):
    return nasbench201(input_shape, num_classes, channels=8)

def of_any_size(input_shape, num_classes):
    return digits(input_shape, num_classes)

def nothing(input_shape, num_classes):
    return None

of_one_size = digits((1, 8, 8), 10)
"""


@pytest.fixture(autouse=True)
def _own_modules(tmp_path, monkeypatch):
    (tmp_path / "declared_operations.py").write_text(OWN_OPERATIONS)
    (tmp_path / "declared_spaces.py").write_text(OWN_SPACE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.fixture
def declared():
    return yaml.safe_load(DECLARED)


def test_a_space_is_declared_layer_by_layer(declared):
    space = build_space(SpaceConfig(**declared), *IMAGES)
    assert [[str(candidate) for candidate in block.candidates()] for block in space.blocks] == [
        ["1x8:mb3k3", "1x8:sep3",
         "2x12:skip,skip", "2x12:skip,shuffle", "2x12:shuffle,skip", "2x12:shuffle,shuffle"],
        ["2x16:conv3,skip", "2x16:conv3,shuffle", "2x16:conv3,conv1",
         "2x16:mb6k5se,skip", "2x16:mb6k5se,shuffle", "2x16:mb6k5se,conv1"],
    ]  # fmt: skip
    network = space.build(Architecture.parse("2x12:skip,shuffle/2x16:mb6k5se,shuffle"))
    assert network(torch.randn(2, 3, 16, 16)).shape == (2, 5)
    assert (space.head_width, space.dropout, space.stem[0].stride) == (32, 0.1, 2)


@pytest.mark.parametrize(
    "source",
    [
        "digits",
        "small_images",
        "declared_spaces:of_any_size",
        "declared_spaces:of_cells",
        *SHIPPED_CELL_SPACES,
    ],
)
def test_a_source_makes_a_space_for_the_data(source):
    space = build_space(SpaceConfig(source=source), *IMAGES)
    assert (space.input_shape, space.num_classes) == IMAGES


def test_a_space_of_cells_takes_its_size():
    space = build_space(SpaceConfig(source="nasbench201"), *IMAGES)
    assert (space.channels, space.num_cells) == (16, 5)
    space = build_space(SpaceConfig(source="darts_s2"), *IMAGES)
    assert (space.channels, space.num_cells) == (16, 8)
    space = build_space(SpaceConfig(source="darts_s2", channels=4, num_cells=3), *IMAGES)
    assert (space.channels, space.num_cells) == (4, 3)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("digit", "source must be one of dna, .* got 'digit'; did you mean 'digits'"),
        ("declared_spaces:none", "must define 'none'"),
        ("declared_spaces:nothing", "must be or return a SearchSpace or CellSpace, got NoneType"),
        ("declared_operations:NUMBER", "must be or return a SearchSpace or CellSpace, got int"),
        ("declared_spaces:of_one_size", r"for images \(3, 16, 16\) and 5 classes.*for \(1, 8, 8\) and 10"),
    ],
)
def test_a_source_that_gives_no_space_for_the_data_is_refused(source, message):
    with pytest.raises(ValueError, match=message):
        build_space(SpaceConfig(source=source), *IMAGES)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("declared_operations:unpadded", r"operation 'shuffle' with .* must turn maps \(8, 8, 8\) into"),
        ("declared_operations:NUMBER", r"operation 'shuffle' must be a callable .* is int"),
        ("declared_operations:none", "module declared_operations must define 'none'"),
        ("torch.nn:Flatten", "operation 'shuffle' with"),
    ],
)
def test_an_own_operation_is_tried_before_it_is_used(declared, path, message):
    declared["operations"] = {"shuffle": path}
    with pytest.raises(ValueError, match=message):
        build_space(SpaceConfig(**declared), *IMAGES)


def test_a_shipped_operation_is_not_replaced(declared):
    declared["operations"]["skip"] = "declared_operations:shuffle"
    with pytest.raises(
        ValueError, match="operation 'skip' is a shipped one; give declared_operations:shuffle"
    ):
        build_space(SpaceConfig(**declared), *IMAGES)


def test_faults_of_a_declaration_name_their_block(declared):
    declared["blocks"][1]["cells"].append({"depth": 3, "width": 16})
    with pytest.raises(ValueError, match="block 1: cell 3x16 must list its operations"):
        build_space(SpaceConfig(**declared), *IMAGES)
    declared["blocks"][1]["cells"][-1]["operations"] = []
    with pytest.raises(ValueError, match="block 1: cell 3x16 must list its operations"):
        build_space(SpaceConfig(**declared), *IMAGES)
    declared["blocks"][1]["cells"][-1]["operations"] = [["skip"]]
    with pytest.raises(ValueError, match="block 1: cell 3x16 must list operations for 3 layers, got 1"):
        build_space(SpaceConfig(**declared), *IMAGES)
    declared["blocks"][1]["cells"][-1]["operations"] = ["mb3k33"]
    with pytest.raises(ValueError, match=r"block 1, cell 3x16: .* got 'mb3k33'; did you mean 'mb3k3'"):
        build_space(SpaceConfig(**declared), *IMAGES)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"source": "dna", "dropout": 0.5}, "only source: declared takes dropout, got source: dna"),
        ({"source": "dna", "channels": 8}, "only source: nasbench201 or .* takes channels, got source: dna"),
        ({"source": "darts_s0", "blocks": [], "stem": [{"operation": "conv3", "width": 8}]}, "takes stem"),
        ({"source": "darts_s0", "num_cells": 0}, "num_cells"),
        ({"source": "declared"}, "at least one block"),
        ({"source": "dna", "blocs": []}, "blocs"),
        ({"source": "declared", "blocks": [{"stride": 0, "cells": []}]}, "stride"),
        ({"source": "declared", "blocks": [{"stride": "2", "cells": []}]}, "valid integer"),
        ({}, "source"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(config, message):
    with pytest.raises(ValidationError, match=message):
        SpaceConfig(**config)
