"""The outputs of a trained cell's candidates, each layer's computed once for all candidates that begin alike.

Source: DNA (arXiv 1911.13053), section 3.3 and Algorithm 1 ("feature sharing"). Per node of the prefix tree the
operation's batch-norm statistics are re-estimated on training images (cumulative averages of the batches' statistics,
each batch normalised by its own), then the operation is applied to the held-out images with those statistics. This
gives what re-estimating and evaluating every candidate's whole path would give, since the statistics of a layer depend
on the layers before it alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from nasray.trainables.block_wise.left_out import OperationError, computing
from nasray.trainables.block_wise.supernet import CellSupernet, Path
from nasray.trainables.core.batch_norm import calibrate
from nasray.trainables.core.guards.faults import is_out_of_memory

Choices = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Output:
    """What a candidate puts out for some batches, or the reason why that is nothing.

    Attributes:
        path: The candidate's.
        batches: Features [B, ...] in the teacher's shape, per batch; None where it failed.
        failure: Why it failed, empty where it did not.
    """

    path: Path
    batches: tuple[Tensor, ...] | None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class _Activations:
    """What flows through the tree: calibration batches, and the held-out images in one tensor."""

    calibration: Sequence[Tensor]
    held_out: Tensor


class CandidateWalk:
    """Walks the prefix tree of a supernet's candidates.

    Attributes:
        num_evaluations: Evaluations of an operation so far: nodes of the tree, times walks.
    """

    def __init__(self, supernet: CellSupernet) -> None:
        self.num_evaluations = 0
        self._supernet = supernet

    def subtrees(self) -> list[Path]:
        """The first-layer choices below which all candidates lie, in the order of the table of ratings."""
        num_entries, num_choices = len(self._supernet.entries), len(self._supernet.cell.operations[0])
        return [Path(entry, (choice,)) for entry in range(num_entries) for choice in range(num_choices)]

    @torch.no_grad()
    def outputs(
        self, prefixes: Sequence[Path], calibration: Sequence[Tensor], batches: Sequence[Tensor]
    ) -> Iterator[Output]:
        """Outputs of all candidates that begin like one of `prefixes`, in the order of the table of ratings.

        Args:
            prefixes: Paths of one layer or more; whole ones stand for themselves.
            calibration: Batches of block inputs from training images, for the batch norms.
            batches: Block inputs [B, ...] of held-out images.
        """
        inputs, sizes = _Activations(calibration, torch.cat(list(batches))), [len(batch) for batch in batches]
        for entry in sorted({path.entry for path in prefixes}):
            wanted = [path.choices for path in prefixes if path.entry == entry]
            entered, failure = self._try(self._supernet.entries[entry], inputs)
            if entered is None:
                yield from self._failures(Path(entry, ()), wanted, failure)
            else:
                yield from self._visit(Path(entry, ()), wanted, entered, sizes)

    def _visit(
        self, path: Path, wanted: Sequence[Choices], inputs: _Activations, sizes: list[int]
    ) -> Iterator[Output]:
        """Outputs of the wanted candidates below one node, whose own outputs are `inputs`."""
        depth = len(path.choices)
        if depth == self._supernet.cell.depth:
            adapted, failure = self._try(self._supernet.exit, _Activations((), inputs.held_out))
            batches = None if adapted is None else torch.split(adapted.held_out, sizes)
            yield Output(path, batches, failure)
            return
        for following, wanted_below in self._following(path, wanted):
            self.num_evaluations += 1
            outputs, failure = self._evaluate(path.entry, depth, following.choices[-1], inputs)
            if outputs is None:
                yield from self._failures(following, wanted_below, failure)
            else:
                yield from self._visit(following, wanted_below, outputs, sizes)

    def _following(self, path: Path, wanted: Sequence[Choices]) -> Iterator[tuple[Path, Sequence[Choices]]]:
        """The nodes after `path` below which wanted candidates lie, each with what is wanted there."""
        depth = len(path.choices)
        for choice in range(len(self._supernet.cell.operations[depth])):
            # What is wanted as a whole has no further choices.
            below = [choices for choices in wanted if choices[depth : depth + 1] in ((), (choice,))]
            if below:
                yield replace(path, choices=(*path.choices, choice)), below

    def _evaluate(
        self, entry: int, layer: int, choice: int, inputs: _Activations
    ) -> tuple[_Activations | None, str]:
        """The outputs of an operation of a layer, or None and the reason why there are none."""
        if (layer, choice) in self._supernet.left_out:
            return None, self._supernet.left_out[layer, choice]
        try:
            with computing(self._supernet.place(layer, choice, in_training=False)):
                return self._try(self._supernet.layer(layer, entry)[choice], inputs)
        except OperationError as error:
            return None, error.reason

    def _try(self, operation: nn.Module, inputs: _Activations) -> tuple[_Activations | None, str]:
        """The operation's outputs, or None and the reason why there are none."""
        try:
            outputs = self._apply(operation, inputs)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return None, f"out of memory: {str(error).splitlines()[0]}"
        if not torch.isfinite(outputs.held_out).all():
            return None, "non-finite output"
        return outputs, ""

    def _apply(self, module: nn.Module, inputs: _Activations) -> _Activations:
        """The module's outputs, its batch-norm statistics re-estimated from the calibration batches."""
        calibration = calibrate(module, inputs.calibration)
        return _Activations(calibration, module(inputs.held_out))

    def _failures(self, path: Path, wanted: Sequence[Choices], reason: str) -> Iterator[Output]:
        """A failure for every wanted candidate that begins with `path`."""
        if len(path.choices) == self._supernet.cell.depth:
            yield Output(path, None, reason)
            return
        for following, wanted_below in self._following(path, wanted):
            yield from self._failures(following, wanted_below, reason)
