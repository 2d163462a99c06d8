"""A trained network as a folder: weights, a file that needs no nasray, and a model card; checked before it is there."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from nasray.analysis.runs.run import load_run
from nasray.errors import UserError
from nasray.evidence.plan import retrain_specs
from nasray.exporting.card import CardFacts, model_card
from nasray.exporting.check import check_export
from nasray.exporting.formats import Format, check_format, write_model
from nasray.exporting.preprocessing import preprocessing_of
from nasray.exporting.retrained import Retrained, choose_retrained
from nasray.exporting.source.model_source import WEIGHTS
from nasray.exporting.source.recording import record
from nasray.inputs.shared import unit_inputs
from nasray.run.folder import RunFolder
from nasray.settings.experiment import ExperimentConfig
from nasray.storage.opening import EXPORTS
from nasray.trainables.core.weights import save_weights
from nasray.trainables.inputs import UnitInputs
from nasray.trainables.settings.training import RetrainConfig


def export_network(
    run: Path,
    architecture: str | None = None,
    output: Path | None = None,
    format: Format = "torch",
    seed: int | None = None,
) -> Path:
    """Write a network that was trained for real as a folder of its own, and check that it gives the same outputs.

    The folder holds `weights.safetensors`, `model.py`, `model.pt2` or `model.onnx`, and `README.md`, the model card.
    An export that fails its check leaves nothing.

    Args:
        run: The run's folder.
        architecture: ID or genotype; None: the one with the best mean accuracy on the held-out images.
        output: The folder to make; None: `exports/<digest>_<training>_seed_<seed>/<format>` in the run's.
        format: "torch", one readable Python file; "torch.export", a program for any number of images; or "onnx".
        seed: Which training of the architecture; None: the one with the best accuracy on the held-out images.

    Returns:
        The folder.

    Raises:
        UserError: The folder is no run's, the network is not trained, the output is there already, the format does not
            suit the network, or the check failed.
    """
    check_format(format)
    folder = RunFolder(run.absolute())
    config = folder.reopen()
    inputs = unit_inputs(config, folder)
    if architecture is not None:
        inputs.space.cost(architecture)  # tells what is not of the space
    trainings = choose_retrained(folder, architecture, seed)
    place = f"{trainings[0].digest}_{trainings[0].folder.name}"
    output = (output or folder.path / EXPORTS / place / format).absolute()
    if output.exists():
        raise UserError(f"the output must not be there yet, but {output} is: remove it or give another")
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as temporary:
        written = Path(temporary) / output.name
        written.mkdir()
        _write(format, trainings, config, folder, inputs, written)
        written.rename(output)
    return output


def _write(
    form: Format,
    trainings: Sequence[Retrained],
    config: ExperimentConfig,
    folder: RunFolder,
    inputs: UnitInputs,
    output: Path,
) -> None:
    """Fill an empty folder, and check it.

    Raises:
        UserError: The format does not suit the network, or the check failed.
    """
    chosen = trainings[0]
    given = preprocessing_of(inputs.images)
    recording = record(lambda: inputs.space.build(chosen.architecture), given.input_shape)
    chosen.load_weights(recording.network)
    packages = write_model(form, chosen.architecture, recording, given, output)
    save_weights(recording.network, output / WEIGHTS)
    (output / WEIGHTS).chmod(0o644)  # for others than the one who wrote it
    checked = check_export(output, recording.network, inputs.images.held_out, chosen.held_out_accuracy)
    facts = CardFacts(
        form=form,
        packages=packages,
        trainings=trainings,
        settings=_settings(config, folder, inputs, chosen),
        cost=inputs.space.cost(chosen.architecture),
        config=config,
        data=inputs.summary,
        given=given,
        checked=checked,
        run=load_run(folder.path),
    )
    (output / "README.md").write_text(model_card(facts), encoding="utf-8")


def _settings(
    config: ExperimentConfig, folder: RunFolder, inputs: UnitInputs, chosen: Retrained
) -> RetrainConfig | None:
    """How a network was trained, if that is what the run's config says now."""
    if config.retrain is None:
        return None
    specs = retrain_specs(config.retrain, config, folder, inputs, chosen.architecture)
    told = any(spec.training_seed == chosen.seed and spec.is_done for spec in specs)
    return config.retrain.training if told else None
