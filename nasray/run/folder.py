"""The run's folder: whose config it belongs to, and who may write to it."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nasray.account.trust import check_methods_trusted, check_trusted, remember
from nasray.errors import UserError
from nasray.run.environment import describe_environment
from nasray.run.origins import SCHEMA_VERSION, Origins
from nasray.run.parts import refuse_several
from nasray.search_spaces.artefacts.run_files import RunFiles
from nasray.search_spaces.files.atomic_file import write_json, write_text
from nasray.settings.experiment import ExperimentConfig
from nasray.settings.loading import dump_config, load_config
from nasray.storage.mirror import Mirror
from nasray.storage.run_lock import FileLock, held
from nasray.storage.staged import begin_launch, pull_run
from nasray.storage.store_lock import StoreLock
from nasray.trainables.inputs import UnitInputs
from nasray.trainables.settings.training import RetrainConfig


class RunFolder(RunFiles):
    """A run's folder, whose path is absolute, so that it means the same in every process."""

    @classmethod
    def of(cls, config: ExperimentConfig) -> "RunFolder":
        """The folder of the config's run: where a store is the storage, the one in which its files are worked on."""
        storage = config.storage
        if storage.url is not None:
            Mirror.create(storage.url, storage.folder)
        return cls(storage.folder / config.name)

    def read_config(self) -> ExperimentConfig:
        """The resolved config that the run was made with.

        Raises:
            UserError: The folder is not a run's.
        """
        return self._load()

    def reopen(self, overrides: Sequence[str] = ()) -> ExperimentConfig:
        """The resolved config of a run that may have been moved since, for further work in its folder.

        Args:
            overrides: Changes to it, as "a.b=value".

        Raises:
            UserError: The folder is not a run's, holds several searches, or is somebody else's whose config is not
                trusted; or the changes would make it another's.
        """
        check_trusted(self.config)
        refuse_several(self.path)
        mirror = Mirror.of(self.path)
        storage = (
            {"root": self.path.parent} if mirror is None else {"root": mirror.url, "staging": mirror.folder}
        )
        config = self._load(*(f"storage.{key}={value}" for key, value in storage.items()), *overrides)
        self.check(config)
        return config

    def _load(self, *overrides: str) -> ExperimentConfig:
        if not self.config.is_file():
            raise UserError(f"RUN must be the folder of a run, with a config.yaml; {self.path} has none")
        check_methods_trusted(self.config)
        try:
            return load_config(self.config, overrides)
        except UserError:
            self._check_version()
            raise

    def _check_version(self) -> None:
        """Hold the run to the version of what runs hold that is read here.

        Raises:
            UserError: It is of another one.
        """
        origins = read_json(self.origins)
        if origins is None and self.origins.exists():
            return  # it is damaged, which its reader tells
        version = origins.get("schema_version") if isinstance(origins, dict) else None
        if version != SCHEMA_VERSION:
            told = "an earlier version of nasray" if version is None else f"version {version} of its schema"
            raise UserError(
                f"{self.path} must be a run of version {SCHEMA_VERSION} of its schema, but is of {told}: read it by "
                "the nasray that made it, or search under a name of its own (name=...)"
            )

    def check(self, config: ExperimentConfig) -> None:
        """Hold the folder to the config.

        Raises:
            UserError: It belongs to another config; the message names the differences.
        """
        if self.config.is_file():
            differences = self.read_config().differences(config)
            if differences:
                raise UserError(
                    f"{self.path} belongs to another config; search under a name of its own (name=...) or undo:\n"
                    + "\n".join(f"  {line}" for line in differences)
                )

    def read_origins(self) -> Origins | None:
        """What the run was computed from; None where there is no run yet.

        Raises:
            UserError: The run does not tell, or the file is damaged.
        """
        if not self.config.is_file():
            return None
        self._check_version()
        try:
            return Origins.model_validate_json(self.origins.read_bytes(), strict=True)
        except ValidationError:
            raise UserError(
                f"{self.origins} must tell which data the run was computed from, but it is damaged: bring it back, or "
                "search under a name of its own (name=...)"
            ) from None

    def claim(self, config: ExperimentConfig, inputs: UnitInputs, tables: Mapping[Path, int]) -> list[str]:
        """Make the folder this config's, or check that it is.

        Args:
            config: The resolved config.
            inputs: What all units share.
            tables: The tables of ratings that the search will leave, and how many rows each will have.

        Returns:
            The user's modules that have changed since the folder was claimed before.

        Raises:
            UserError: It belongs to another config, or other data; the message names the differences.
        """
        self.check(config)
        before, now = self.read_origins(), Origins.of(inputs)
        if before is not None:
            before.check(now, self.path)
        # First, since a folder with a config must have it.
        write_text(self.origins, now.model_dump_json(indent=2) + "\n")
        write_json(self.tables, {str(path.relative_to(self.path)): rows for path, rows in tables.items()})
        write_text(self.config, dump_config(config))
        remember(self.config)
        return [] if before is None else before.changed_modules(now)

    def drop_evidence(self) -> None:
        """Remove table and figures, which belong to another ranking or to other trainings; these themselves stay."""
        for path in (self.agreement, self.agreement_figures, self.calibration):
            path.unlink(missing_ok=True)

    def record_environment(self, seed: int) -> None:
        """Leave the versions, commit and machine of a launch that makes results."""
        write_json(self.environment, describe_environment(seed))

    def refresh(self) -> None:
        """Bring here what a store has of the run and what a launch reads; nothing without a store."""
        mirror = Mirror.of(self.path)
        if mirror is not None:
            pull_run(mirror, self.path)

    def publish(self) -> None:
        """Bring to the store, if there is one, what was written here."""
        mirror = Mirror.of(self.path)
        if mirror is not None:
            mirror.push(self.path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run against a second launch, wherever that is started; of one in a store, what that has is here.

        Raises:
            UserError: Another process holds it.
        """
        mirror = Mirror.of(self.path)
        if mirror is None:
            with held(FileLock(self.path)):
                yield
            return
        with held(StoreLock(mirror.store, mirror.name(self.path))) as is_lost:
            begin_launch(mirror, self.path)
            try:
                yield
            finally:
                if not is_lost():
                    self.publish()


def retrain_unit(architecture: str, settings: RetrainConfig, training_seed: int, place: str = "") -> str:
    """Name of the unit that trains an architecture for real, in a folder of its own for each way of training.

    Where a run has several spaces or splits of the images, `place` tells them apart.

    The texts themselves would be too long for folders' names.
    """
    digests = [
        hashlib.sha256(text.encode()).hexdigest() for text in (architecture, settings.model_dump_json())
    ]
    own = f"{digests[0][:12]}/{digests[1][:6]}_seed_{training_seed}"
    return "/".join(filter(None, ("retrain", place, own)))


def read_json(path: Path) -> Any:
    """The content of a JSON file, or None where there is none, or a damaged one."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
