"""A search as a part of a whole: in a folder below the whole's, its MLflow runs in the whole's database."""

import os
from collections.abc import Mapping
from typing import Any

from nasray.settings.experiment import ExperimentConfig
from nasray.settings.loading import load_config
from nasray.storage.urls import join_url
from nasray.tracking.mlflow_place import tracking_uri


def nested_config(
    whole: ExperimentConfig, plain: Mapping[str, Any], name: str, tags: Mapping[str, str]
) -> ExperimentConfig:
    """The config of a part, which lies in the folder `name` below that of the whole.

    Args:
        whole: The config of the whole.
        plain: The part's config as plain data; where it lies is set here.
        name: The part's name.
        tags: Tags of its runs in MLflow, beside those of the whole.

    Raises:
        UserError: `plain` has mistakes.
    """
    storage, tracking = whole.storage, dict(plain["tracking"])
    url = None if storage.url is None else join_url(storage.url, whole.name)
    place = {
        "root": url or str(storage.folder / whole.name),
        # A store has them below its root, a folder in one place for all.
        "features": None if url else str(storage.features or storage.folder / "features"),
        "staging": None if storage.staging is None else str(storage.staging / whole.name),
    }
    # All parts' runs stand in one database; a server's address, which may hold a password, stays where it is.
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        tracking["uri"] = tracking_uri(whole)
    tracking["tags"] = {**tracking["tags"], **tags}
    return load_config({**plain, "name": name, "storage": place, "tracking": tracking})
