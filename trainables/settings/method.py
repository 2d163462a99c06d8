"""Settings of a search, by whatever method."""

from pydantic import BaseModel, ConfigDict


class MethodSettings(BaseModel):
    """What an item of a config's list `searches` may say; each method has settings of its own.

    Attributes:
        method: A method's name, or "module:attribute" of one of the user's own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: str
