"""The settings of how a unit computes."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class ComputeConfig(BaseModel):
    """Where and how one unit computes. Results depend on it, since sums are split by threads and processes.

    Attributes:
        device: "auto" is a GPU where the unit has one.
        num_threads: CPU threads of each process.
        num_processes: Processes of one node that train a cell, a teacher or a network together, see `process_group.py`:
            each takes its part of every batch, on a GPU of its own where units have GPUs. All else has one.
        num_workers: Processes that read and augment images ahead of each of these; 0: it does so itself, between steps.
            They change no result. A CPU each is taken for them.
        channels_last: The layout of images and convolution weights; None: on, since it is faster on CPUs and GPUs.
        precision: In which the steps of these trainings run, by torch's autocast; float16 scales its gradients. Weights
            stay in float32, and so does all else: a teacher's features, ratings, accuracies, SD-DARTS.
        compile: Compile the steps of these trainings: of supernets the operations, since each path would be a program
            of its own. Takes minutes at first.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    device: Literal["auto", "cpu", "cuda"] = "auto"
    num_threads: int = Field(default=1, ge=1)
    num_processes: int = Field(default=1, ge=1)
    num_workers: int = Field(default=0, ge=0)
    channels_last: bool | None = None
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    compile: bool = False

    @property
    def arithmetic(self) -> dict[str, Any]:
        """As plain data what results depend on."""
        return self.model_dump(exclude={"num_workers"})
