"""The lock of a run in an object store."""

from nasray.storage.claim import Claim
from nasray.storage.run_lock import STALE_SECONDS, refuse_unless_gone
from nasray.storage.store import Store

_FOLDER = ".claims"


class StoreLock:
    """A lock of a run in a store, which can create no file exclusively: every launch leaves a claim of its own.

    A launch writes its claim first and looks for others then. Of two that come at once, the one that looks later sees
    the other, as the store's listing holds all that was written before it; if both see each other, both give up. So
    there are never two, in every store whose listings are strongly consistent, as those of S3, GCS and Azure are.

    Args:
        store: The store.
        run: The run's name in it.
    """

    def __init__(self, store: Store, run: str) -> None:
        self.place = f"{run} in {store.url}"
        self._store, self._folder = store, f"{run}/{_FOLDER}"
        self._claim = Claim.mine()
        self._name = f"{self._folder}/{self._claim.token}"

    def take(self) -> None:
        """Leave this process's claim.

        Raises:
            UserError: Another one stands there.
        """
        self._write()
        try:
            entries = self._store.entries(self._folder)
            now = entries[self._name].seconds
            for name, entry in entries.items():
                content = None if name == self._name else self._store.read(name)
                if content is None:  # our own, or gone meanwhile
                    continue
                if (claim := Claim.parse(content)) is not None:
                    refuse_unless_gone(self.place, claim, now - entry.seconds)
                self._store.delete(name)
        except BaseException:
            self.give()
            raise

    def refresh(self) -> bool:
        """Show that the claim's process lives; whether the claim still stands."""
        before = self._store.entry(self._name)
        if before is None:
            return False
        self._write()
        others = self._store.entries(self._folder)
        mine = others.pop(self._name, None)
        # Where it stood still, another may have judged the claim before it was refreshed, and take it away only now.
        if mine is not None and (mine.seconds - before.seconds <= STALE_SECONDS or not others):
            return True
        self.give()
        return False

    def give(self) -> None:
        """Take the claim away."""
        self._store.delete(self._name)

    def _write(self) -> None:
        self._store.write(self._name, self._claim.text.encode())
