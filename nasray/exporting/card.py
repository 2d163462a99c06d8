"""The model card: what an exported network is, what it was made from, and how it is used."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from nasray.analysis.counting.coverage import cover
from nasray.analysis.counting.place import place_of
from nasray.analysis.counting.statement import bounds, left_out_since, ranked
from nasray.analysis.runs.run import Run
from nasray.exporting.check import TOLERANCE, Checked
from nasray.exporting.formats import FILES, Format
from nasray.exporting.preprocessing import Preprocessing
from nasray.exporting.retrained import Retrained
from nasray.exporting.source.model_source import WEIGHTS
from nasray.search_spaces.costs.cost import Cost
from nasray.search_spaces.costs.uncounted import lower_bounds
from nasray.settings.experiment import ExperimentConfig
from nasray.trainables.data.summary import DataSummary
from nasray.trainables.settings.training import RetrainConfig


@dataclass(frozen=True, slots=True)
class CardFacts:
    """All that a card tells.

    Attributes:
        form: The format.
        packages: The installed packages that the network's file needs.
        trainings: All trainings of the architecture, the exported one first.
        settings: How that was trained; None: the run's config has been changed since, and does not tell.
        cost: What the network costs.
        config: The run's config.
        data: Sizes of the data.
        given: What the network takes.
        checked: What the check found.
        run: The run.
    """

    form: Format
    packages: Sequence[str]
    trainings: Sequence[Retrained]
    settings: RetrainConfig | None
    cost: Cost
    config: ExperimentConfig
    data: DataSummary
    given: Preprocessing
    checked: Checked
    run: Run


def model_card(facts: CardFacts) -> str:
    """The card, as Markdown."""
    sections = {
        "Use": _use(facts),
        "Architecture": _architecture(facts),
        "Accuracy": _accuracy(facts),
        "Data": _data(facts),
        "Training": _training(facts),
        "Check": _check(facts),
        "Made with": _environment(facts),
    }
    title = f"# A classifier for {facts.config.data.source}, found in the run {facts.config.name}"
    return "\n\n".join([title, *(f"## {name}\n\n{text}" for name, text in sections.items())]) + "\n"


def _use(facts: CardFacts) -> str:
    given = facts.given
    code = _CODE[facts.form].format(
        shape=", ".join(map(str, given.input_shape)), mean=list(given.mean), std=list(given.std)
    )
    return (
        f"`{FILES[facts.form]}` needs {', '.join(facts.packages)}, and nothing of nasray. In this folder:\n\n"
        f"```python\n{code}\n```\n\n`{WEIGHTS}` holds the weights by their names in the network."
    )


def _architecture(facts: CardFacts) -> str:
    cost, shape = facts.cost, " x ".join(map(str, facts.given.input_shape))
    return (
        f"`{facts.trainings[0].architecture}` of the space {facts.config.search_space.source}: "
        f"{cost.num_params:,} parameters, {cost.num_macs:,} multiply-accumulates for an image of {shape}."
        f"{' ' + lower_bounds(cost.uncounted) if cost.uncounted else ''}{_place(facts)}"
    )


def _place(facts: CardFacts) -> str:
    """Score and place among all architectures of the run, if they are ranked and the network's parts are rated."""
    tables, budgets = facts.run.tables, facts.config.budgets
    place = None if tables is None else place_of(facts.trainings[0].architecture, tables, (), budgets)
    if tables is None or place is None:
        return " The run has no score for it."
    coverage, within = cover(tables, budgets), " within the budgets" if budgets else ""
    return (
        f" Its score is {place.score:.4f} (the sum of its blocks' distillation errors; lower is better): "
        f"{bounds(place.num_better)} of the {ranked(coverage, within)} are better{left_out_since(coverage)}."
    )


def _accuracy(facts: CardFacts) -> str:
    rows = [
        f"| {one.seed}{' (this one)' if one is facts.trainings[0] else ''} | {one.test_accuracy:.4f} "
        f"| {one.held_out_accuracy:.4f} |"
        for one in sorted(facts.trainings, key=lambda one: one.seed)
    ]
    mean = fmean(one.test_accuracy for one in facts.trainings)
    table = "\n".join(["| training seed | test images | held-out images |", "| --- | --- | --- |", *rows])
    return (
        f"{table}\n\nOn the test images {mean:.4f} on average. They chose nothing: architecture and seed go by the "
        "held-out images, where they were not given."
    )


def _data(facts: CardFacts) -> str:
    data, settings = facts.data, facts.config.data
    size = (
        "as stored" if settings.image_size is None else f"resized and cropped to {settings.image_size} pixels"
    )
    augment = (
        "none" if settings.augment is None else _inline(settings.augment.model_dump(exclude_defaults=True))
    )
    return "\n".join(
        [
            f"- Source: {settings.source}, {data.num_classes} classes; images {size}",
            f"- Split by seed {facts.config.seed}: {data.num_train:,} to train on, {data.num_held_out:,} held out, "
            f"{data.num_test:,} to test",
            f"- Normalised by mean {_numbers(facts.given.mean)} and standard deviation {_numbers(facts.given.std)} per "
            "channel, for values in 0..1",
            f"- Augmentation: {augment}",
        ]
    )


def _training(facts: CardFacts) -> str:
    chosen, settings = facts.trainings[0], facts.settings
    if settings is None:
        told = "The settings are not known: the run's config, or nasray, has changed since."
    else:
        told = f"The settings:\n\n```json\n{settings.model_dump_json(indent=2)}\n```"
    return f"{chosen.num_epochs} epochs, training seed {chosen.seed}. {told}"


def _check(facts: CardFacts) -> str:
    checked = facts.checked
    return (
        "Loaded by an interpreter without nasray, it gave the trained network's logits on "
        f"{checked.num_images} held-out images, and on one alone; the largest difference is {checked.difference:.1e} "
        f"of the largest logit, where {TOLERANCE:g} is allowed. It got {checked.accuracy:.4f} of them right."
    )


def _environment(facts: CardFacts) -> str:
    environment: Mapping[str, Any] = facts.run.environment or {}
    packages = ", ".join(f"{name} {number}" for name, number in environment.get("packages", {}).items())
    return (
        f"nasray's commit {environment.get('commit') or 'unknown'}, Python {environment.get('python', 'unknown')}, "
        f"{packages or 'packages unknown'}."
    )


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _inline(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings) if settings else "none"


_CODE: dict[Format, str] = {
    "torch": """\
import torch
from model import load, predict

network = load()  # torch.nn.Module, in evaluation mode
pixels = torch.rand(4, {shape})  # in 0..1, or uint8
probabilities = predict(network, pixels)  # [4, classes]
""".rstrip(),
    "torch.export": """\
import torch

network = torch.export.load("model.pt2").module()
pixels = torch.rand(4, {shape})  # in 0..1
mean, std = (torch.tensor(numbers).view(-1, 1, 1) for numbers in ({mean}, {std}))
logits = network((pixels - mean) / std)  # [4, classes]
""".rstrip(),
    "onnx": """\
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("model.onnx")
pixels = np.random.rand(4, {shape}).astype(np.float32)  # in 0..1
mean, std = (np.array(numbers, np.float32).reshape(-1, 1, 1) for numbers in ({mean}, {std}))
[logits] = session.run(None, {{"images": (pixels - mean) / std}})  # [4, classes]
""".rstrip(),
}
