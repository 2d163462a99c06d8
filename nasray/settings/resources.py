"""The config of what a run may use of a cluster."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from nasray.errors import UserError
from nasray.trainables.settings.kinds import UNIT_KINDS


def _divisible(gpus: float) -> float:
    if gpus > 1 and gpus != int(gpus):
        raise UserError(f"must be a fraction of one GPU or a whole number, got {gpus:g}")
    if 0 < gpus < 1e-4:
        raise UserError(f"must be at least 0.0001, or 0, got {gpus:g}")
    return gpus


Gpus = Annotated[float, Field(ge=0), AfterValidator(_divisible)]


class ResourcesConfig(BaseModel):
    """What the schedule may use. A unit takes `compute.num_threads + num_workers` CPUs, for each of its processes.

    Attributes:
        gpus_per_unit: GPUs of a unit: 0, a fraction where several share one, 1; where `compute.num_processes` is more
            than 1, as many as these, of which units that run in one process take one. A unit without any sees none.
        gpus_by_kind: The same for units of some kinds, such as {teacher: 1, retrain: 0.5}.
        accelerator_type: Of which type its GPUs must be, by Ray's name, such as "A100".
        max_concurrent: Units at the same time; None: as many as the cluster's nodes hold now. A larger number makes a
            cluster that scales itself grow.
        max_failures: How often a unit whose process died is started again, from its last epoch.
        max_step_seconds: For how long a unit may make no step before it counts as one that hangs: its process is ended,
            and what it did is told. The first steps open data and compile.
        in_process: Run units one after the other in the process of the command, without Ray: to debug them, or where
            one machine is enough and Ray cannot be started.
        address: A Ray cluster's address, host:port; None: that of RAY_ADDRESS, else of one that this account started on
            this machine, else a local one; "local": always a local one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    gpus_per_unit: Gpus = 0
    gpus_by_kind: dict[str, Gpus] = {}
    accelerator_type: str | None = Field(default=None, min_length=1)
    max_concurrent: int | None = Field(default=None, ge=1)
    max_failures: int = Field(default=3, ge=0)
    max_step_seconds: float = Field(default=3600, gt=0, allow_inf_nan=False)
    in_process: bool = False
    address: str | None = None

    @field_validator("gpus_by_kind")
    @classmethod
    def _are_kinds(cls, value: dict[str, float]) -> dict[str, float]:
        if unknown := sorted(kind for kind in value.keys() - UNIT_KINDS if ":" not in kind):
            raise UserError(
                f"must have kinds of units as keys, {', '.join(sorted(UNIT_KINDS))} or module:class of one of your "
                f"own, got {unknown[0]}"
            )
        return value

    def check_processes(self, num_processes: int) -> None:
        """Hold the GPUs to the processes of a training: one has all or part of one, several have one each.

        Raises:
            UserError: They do not fit.
        """
        for gpus in (self.gpus_per_unit, *self.gpus_by_kind.values()):
            if (num_processes > 1 and gpus not in (0, num_processes)) or gpus > num_processes:
                raise UserError(
                    f"resources.gpus_per_unit and gpus_by_kind must be 0 or one GPU for each of "
                    f"compute.num_processes, or at most 1 where that is 1, got {gpus:g} GPUs and {num_processes} "
                    "processes: set both alike"
                )
