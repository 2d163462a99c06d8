import numpy as np
import pytest

from nasray.analysis.runs.run import load_run
from nasray.exporting.export import export_network
from nasray.inputs.shared import unit_inputs
from nasray.run.folder import RunFolder

from .conftest import CHAIN, SPACES

CHAIN_ID = SPACES["chain"][1]


@pytest.fixture
def rated(trained, leave_ratings):
    """A run of the method dna, in which each candidate's rating is its row."""
    run = trained(
        CHAIN,
        CHAIN_ID,
        seeds=(0, 1),
        searches=[{"method": "dna"}],
        teacher={"source": "largest", "train": {"epochs": 1}},
        data={
            "source": "digits",
            "num_train_images": 320,
            "num_held_out_images": 128,
            "augment": {"crop_padding": 1},
        },
    )
    folder = RunFolder(run)
    space = unit_inputs(folder.read_config(), folder).space
    leave_ratings(run, space, lambda table: np.arange(len(table))[:, np.newaxis])
    return run


def test_the_cards_facts(rated):
    run = load_run(rated)
    card = (export_network(rated) / "README.md").read_text()
    for _, row in run.retrained.iterrows():
        assert f"| {row['test_accuracy']:.4f} | {row['held_out_accuracy']:.4f} |" in card
    assert f"On the test images {run.retrained['test_accuracy'].mean():.4f} on average." in card
    cost = run.retrained.iloc[0]
    # Candidates 2 of block 0 and 1 of block 1: (0, 0), (0, 1), (1, 0), (1, 1), (2, 0) are better.
    assert (
        f"`{CHAIN_ID}` of the space declared: {cost['num_params']:,} parameters, {cost['num_macs']:,} "
        "multiply-accumulates for an image of 1 x 8 x 8. Its score is 3.0000 (the sum of its blocks' distillation "
        "errors; lower is better): 5 of the 8 architectures are better."
    ) in card
    assert "- Source: digits, 10 classes; images as stored" in card
    assert "320 to train on, 128 held out, 360 to test" in card
    assert "mean 0.3058 and standard deviation 0.3765" in card
    assert '- Augmentation: {"crop_padding": 1}' in card
    assert "3 epochs, training seed" in card
    assert '"optimizer": "adamw"' in card
    assert f"commit {run.environment['commit']}, Python {run.environment['python']}" in card
    assert f"torch {run.environment['packages']['torch']}" in card


def test_settings_that_have_changed_since_are_not_told(trained):
    run = trained(CHAIN, CHAIN_ID)
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("lr: 0.01", "lr: 0.02"))
    card = (export_network(run) / "README.md").read_text()
    assert "The run has no score for it." in card
    assert "The settings are not known" in card
    assert '"optimizer"' not in card
