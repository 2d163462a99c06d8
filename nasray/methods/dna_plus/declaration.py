"""The declaration of DNA+, and what must stand beside its settings."""

from collections.abc import Iterator
from dataclasses import replace

from nasray.methods.block_wise.declarations import DNA
from nasray.methods.dna_plus.settings import DnaPlusConfig
from nasray.search_spaces.artefacts.costs import measured_costs
from nasray.settings.experiment import ExperimentConfig


def _mistakes(search: DnaPlusConfig, config: ExperimentConfig) -> Iterator[str]:
    yield from DNA.mistakes(search, config)
    retrain, teacher = config.retrain, config.teacher
    if config.sweep is not None:
        yield "dna_plus must stand without a sweep beside it: give that a config of its own"
    for cost, measurement in measured_costs().items():
        if cost.name in config.budgets:
            yield (
                f"budgets.{cost.name} must be left out of a search of the method dna_plus: {measurement.many} are "
                "measured on a finished run"
            )
    if retrain is None or retrain.top < 1 or retrain.distillation is None:
        yield (
            "retrain must train the best architecture with distillation for a search of the method dna_plus: set "
            "retrain.top to 1 or more and retrain.distillation, {} for its defaults"
        )
    if teacher is not None and teacher.train is None and search.teacher_train is None:
        yield (
            "teacher_train of a search of the method dna_plus must be given where teacher.train is not: the later "
            "generations' teachers are trained"
        )


DNA_PLUS = replace(
    DNA,
    settings=DnaPlusConfig,
    stages=(),
    runs_searches=True,
    length_fields=frozenset({"generations", "margin"}),
    mistakes=_mistakes,
    section="nasray.methods.dna_plus.section:section",
)
