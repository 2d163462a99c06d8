"""The config of where runs and features lie."""

import os
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from nasray.errors import UserError
from nasray.storage.urls import check_url, is_url, normal_url, staging_folder


class StorageConfig(BaseModel):
    """Where runs and features lie; on a cluster, a folder that all nodes see, or an object store.

    Attributes:
        root: The run's folder is `root/<name>`. A folder, or the URL of a store, such as s3://bucket/prefix, whose
            credentials come from the environment of every node. Not given: what NASRAY_STORAGE says, as a cluster's
            file sets it on its nodes, else "runs".
        features: Folder of the feature cache, shared by all runs; None: `root/features`, as in a store.
        staging: Folder of each node's own disk in which the files of a store are worked on; None: one below the user's
            cache folder. When nothing runs it may be removed: nothing is there that is not in the store, but MLflow's
            runs on the machine that starts searches, where these have no server.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    root: str = Field(
        default_factory=lambda: os.environ.get("NASRAY_STORAGE") or "runs",
        min_length=1,
        validate_default=True,
    )
    features: Path | None = None
    staging: Path | None = None

    @field_validator("root")
    @classmethod
    def _is_a_place(cls, value: str) -> str:
        if not is_url(value):
            return value
        check_url(value)
        return normal_url(value)

    @model_validator(mode="after")
    def _features_go_along(self) -> Self:
        if self.url is not None and self.features is not None:
            raise UserError(
                f"features must be left out where root is a store's URL, below which they lie, got {self.features}: "
                "storage.staging tells where nodes keep them"
            )
        return self

    @property
    def url(self) -> str | None:
        """The store's URL; None where runs lie in a folder."""
        return self.root if is_url(self.root) else None

    @property
    def folder(self) -> Path:
        """The folder in which is worked: `root`, or the staging folder of the store, absolute."""
        if self.url is None:
            return Path(self.root).expanduser().absolute()
        return (self.staging or staging_folder(self.url)).expanduser().absolute()
