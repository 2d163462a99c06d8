"""The trials of a sweep: what Optuna suggests, as Ray Tune runs it and as Optuna's study records it."""

import math
from collections.abc import Callable
from typing import Any

from ray.tune.result import TRAINING_ITERATION
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from nasray.scheduling.schedule import FAILURE
from nasray.settings.sweeps import SweepConfig
from nasray.storage.staged import pull_results
from nasray.sweeps.study import STUDY, distribution, num_begun, sampler, storage_of
from nasray.sweeps.tracking import RUN_NAME
from nasray.sweeps.unit import SweepFolder, SweptUnit, override
from nasray.trainables.core.seeding import derive_seed
from nasray.trainables.core.trainable import read_done
from nasray.trainables.inputs import UnitSpec


class SweepTrials(OptunaSearch):
    """Tune's source of trials: each is the swept unit under the overrides that Optuna suggests next.

    No more trials are given at once than `num_slots` tells. A trial is complete when its unit has left its done-marker;
    one that ended without it, and without a failure, was pruned.
    """

    def __init__(
        self, sweep: SweepConfig, unit: SweptUnit, num_trials: int, num_slots: Callable[[UnitSpec], int]
    ) -> None:
        one = len(sweep.metrics) == 1
        super().__init__(
            space={key: distribution(domain) for key, domain in sweep.domains.items()},
            metric=sweep.metrics[0] if one else sweep.metrics,
            mode=sweep.modes[0] if one else sweep.modes,
            study_name=STUDY,
            storage=storage_of(SweepFolder.of(unit.folder)),
        )
        self._sweep, self._unit = sweep, unit
        self._num_left, self._num_slots = num_trials, num_slots
        self._specs: dict[str, UnitSpec] = {}
        self._epochs: dict[str, int] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next trial's config; None while there is no room for one; FINISHED after the last one."""
        if not self._num_left:
            return Searcher.FINISHED
        running = list(self._specs.values())
        if running and len(running) >= self._num_slots(running[0]):
            return None
        self._num_left -= 1
        # A sampler's generator is not in the study: seeded once, a sweep that goes on would draw as it began. What was
        # interrupted does not count, so that its settings are suggested once more.
        seed = derive_seed(self._unit.config.seed, "sweep", num_begun(self._ot_study))
        self._ot_study.sampler = sampler(self._sweep, seed)
        number = len(self._ot_study.get_trials(deepcopy=False))
        params = super().suggest(trial_id)
        overrides = [override(key, params[key]) for key in self._sweep.domains]
        try:
            spec = self._unit.spec(overrides, SweepFolder.of(self._unit.folder).trial(number))
        except ValueError as error:  # each value is valid by itself, but not beside the others
            self._fail(trial_id, str(error))
            return None
        name = f"sweep/{number}-{spec.fingerprint[:8]}"
        self._ot_trials[trial_id].set_user_attr(RUN_NAME, name)
        self._specs[trial_id], self._epochs[trial_id] = spec, 0
        return {
            "spec": spec.model_dump(mode="json"),
            "trial": number,
            "name": name,
            "swept_unit": self._unit.name,
            "params": params,
        }

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Record the objective after an epoch."""
        epoch = result.get("epoch", 0)
        if epoch <= self._epochs[trial_id]:
            return  # a failure, a unit without epochs, or an epoch told again
        self._epochs[trial_id] = epoch
        if all(metric in result for metric in self._sweep.metrics):
            super().on_trial_result(trial_id, {**result, TRAINING_ITERATION: epoch})

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Record how a trial ended: well, pruned by the scheduler, or failed with a reason."""
        pull_results(self._specs[trial_id])  # first: if the store is away, Tune comes here once more
        spec = self._specs.pop(trial_id)
        if error:
            self._fail(trial_id, "its process failed too often")
        elif result and FAILURE in result:
            self._fail(trial_id, result[FAILURE])
        elif spec.is_done:
            self._complete(trial_id, spec)
        else:
            self.on_trial_result(trial_id, result or {})  # of the last one Tune tells the scheduler alone
            super().on_trial_complete(trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the study has a storage of its own."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, see `save`."""

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles it for a restore, which a new launch does without

    def _complete(self, trial_id: str, spec: UnitSpec) -> None:
        """Record the last values that the unit reported of the objectives, until the epoch that it chose."""
        done = read_done(spec.folder)
        assert done is not None
        metrics = {
            name: value for epoch in done["history"][: spec.chosen_epoch] for name, value in epoch.items()
        }
        for metric in self._sweep.metrics:
            value = metrics.get(metric)
            if not isinstance(value, int | float) or not math.isfinite(value):
                self._fail(trial_id, f"{metric} must be a finite number, got {value}")
                return
        super().on_trial_complete(trial_id, metrics)

    def _fail(self, trial_id: str, reason: str) -> None:
        self._ot_trials[trial_id].set_user_attr(FAILURE, reason)
        super().on_trial_complete(trial_id, error=True)
