import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, Subset, TensorDataset

from nasray.errors import UserError
from nasray.trainables.data.labels import labels_of, num_classes


def test_labels_of_a_subset_follow_its_indices():
    dataset = TensorDataset(torch.rand(5, 1, 2, 2), torch.tensor([4, 3, 2, 1, 0]))
    assert labels_of(Subset(dataset, [3, 0]), "training").tolist() == [1, 4]


class WithTargets(Dataset):
    def __init__(self, targets):
        self.targets = targets

    def __len__(self):
        return 3


@pytest.mark.parametrize("targets", [[2, 0, 1], np.array([2, 0, 1], np.uint8), torch.tensor([2.0, 0, 1])])
def test_targets_are_whole_numbers_of_any_type(targets):
    labels = labels_of(WithTargets(targets), "test")
    assert labels.tolist() == [2, 0, 1]
    assert labels.dtype == np.int64


@pytest.mark.parametrize("targets", [[0.5, 0, 1], [0, 1], np.eye(3), ["cat", "dog", "cat"], [np.nan, 0, 1]])
def test_other_targets_are_refused(targets):
    with pytest.raises(
        UserError, match="`targets` of the test images must hold a whole number for each of the 3"
    ):
        labels_of(WithTargets(targets), "test")


def test_a_class_of_one_half_counts():
    assert num_classes(None, np.array([0, 1]), np.array([2, 0])) == 3


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 5, 100000], r"3 different ones go up to 100000 \(0, 5, 100000\), and no image has 1:"),
        (
            [0, 1, 2, 3, 4, 5, 255],
            r"go up to 255 \(0, 1, 2, 3, 4, \.\.\.\), and no image has 6: .* to be ignored",
        ),
        ([1, 2, 3], "no image has 0: number the classes anew"),
        (
            [-1, 0, 1],
            "numbers from 0 on, got -1: leave out images whose label means that they are to be ignored",
        ),
    ],
)
def test_labels_that_make_classes_without_images_are_refused(labels, message):
    with pytest.raises(UserError, match=message):
        num_classes(None, np.array(labels), np.array(labels[:1]))


def test_classes_that_are_named_may_be_without_images():
    assert num_classes(["a", "b", "c", "d"], np.array([0, 2]), np.array([0])) == 3
    with pytest.raises(UserError, match="no image has 1"):
        num_classes(["a", "b"], np.array([0, 2]), np.array([0]))
