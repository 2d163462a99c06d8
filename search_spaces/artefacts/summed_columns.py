"""Metadata of Parquet tables on the columns that add up along an architecture, and their check."""

import json
from collections.abc import Iterable, Mapping

from nasray.errors import UserError

_KEY = b"nasray.summed_columns"
_FACTS = {"adds_up": True, "better": "lower"}


def summed_metadata(names: Iterable[str]) -> dict[bytes, bytes]:
    """What is written with a table: that these columns add up over blocks, and that the lower, the better."""
    return {_KEY: json.dumps(dict.fromkeys(names, _FACTS)).encode()}


def check_summed(metadata: Mapping[bytes, bytes] | None) -> None:
    """Hold a table's columns to what is done with them; a table that says nothing of them is taken as it is.

    Raises:
        UserError: It says of a column that it does not add up, or that higher is better, or says it in another form.
    """
    text = (metadata or {}).get(_KEY)
    if text is None:
        return
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise UserError(f"{_KEY.decode()} in a table's metadata must be a JSON object, got {text!r}")
    for name, facts in said.items():
        if facts != _FACTS:
            raise UserError(
                f"column {name} must add up over blocks, lower is better: {json.dumps(_FACTS)}, but the table's "
                f"metadata say {json.dumps(facts)}"
            )
