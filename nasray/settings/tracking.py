"""The settings of the section `tracking`: where MLflow keeps its runs."""

import re
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, ConfigDict, field_validator

from nasray.errors import UserError

_SECRETS = re.compile("pass|pwd|token|secret", re.IGNORECASE)


class TrackingConfig(BaseModel):
    """Where MLflow keeps its runs.

    Attributes:
        uri: A tracking URI; None: MLFLOW_TRACKING_URI, else sqlite in the storage's root.
        experiment: MLflow's experiment; runs of one experiment are compared side by side.
        tags: Tags of your own on each run, by name, in place of ours of the same names.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    uri: str | None = None
    experiment: str = "nasray"
    tags: dict[str, str] = {}

    @field_validator("uri")
    @classmethod
    def _holds_no_secret(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "")
        is_server = parts.scheme in ("http", "https")
        if is_server and (parts.query or parts.fragment):
            raise UserError(
                "must be a server's address with nothing behind its path, got one with an option or a mark"
            )
        may_be_token = is_server and "@" in parts.netloc  # as https://TOKEN@host
        option = next((name for name, _ in parse_qsl(parts.query) if _SECRETS.search(name)), None)
        if parts.password is not None or may_be_token or option is not None:
            place = "before the @" if option is None else f"as {option}"
            raise UserError(
                f"must hold no password or token, since the config is kept beside the results, got one {place}: set "
                "MLFLOW_TRACKING_URI, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
                "MLFLOW_TRACKING_TOKEN, in the environment instead"
            )
        return value
