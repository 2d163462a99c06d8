"""Notes: what a unit met on its way and mended, for those who watch it.

Whoever finds something worth a line says it to `LOGGER`; the process in which a unit runs has no terminal, so that they
go along with the unit's metrics.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

NOTES = "notes"
LOGGER = logging.getLogger("nasray.trainables")


class _Collector(logging.Handler):
    """Keeps the texts of what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@contextmanager
def collected_notes() -> Iterator[list[str]]:
    """A list that grows by each note of the body."""
    collector = _Collector()
    LOGGER.addHandler(collector)
    try:
        yield collector.texts
    finally:
        LOGGER.removeHandler(collector)
