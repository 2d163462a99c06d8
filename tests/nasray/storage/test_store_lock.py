from dataclasses import replace

import pytest

from nasray.storage import run_lock, store_lock
from nasray.storage.claim import Claim
from nasray.storage.store import Store
from nasray.storage.store_lock import StoreLock

ELSEWHERE = replace(Claim.mine(), token="0", host="node7", machine="another one")


@pytest.fixture
def store(s3_url):
    return Store(s3_url)


def claims(store):
    return store.entries("run/.claims").keys()


def test_only_one_holds_a_run(store):
    first, second = StoreLock(store, "run"), StoreLock(store, "run")
    first.take()
    with pytest.raises(ValueError, match="another nasray works in it"):
        second.take()
    assert first.refresh()
    first.give()
    second.take()
    second.give()
    assert not claims(store)


def test_runs_do_not_meet(store):
    StoreLock(store, "run").take()
    StoreLock(store, "another").take()


def test_another_machines_claim_is_refused_while_it_is_fresh(store):
    store.write("run/.claims/0", ELSEWHERE.text.encode())
    with pytest.raises(
        ValueError, match=r"process [0-9]+ on node7, since .*: wait for it; if it is surely dead"
    ):
        StoreLock(store, "run").take()
    assert claims(store) == {"run/.claims/0"}


def test_a_claim_without_life_is_taken_over(store, monkeypatch, caplog):
    store.write("run/.claims/0", ELSEWHERE.text.encode())
    monkeypatch.setattr(run_lock, "STALE_SECONDS", -1)
    lock = StoreLock(store, "run")
    lock.take()
    assert "is taken over from process" in caplog.text
    assert len(claims(store)) == 1
    assert lock.refresh()


def test_a_claim_that_was_taken_over_does_not_stand(store):
    lock = StoreLock(store, "run")
    lock.take()
    lock.give()
    assert not lock.refresh()
    assert not claims(store)


def test_who_stood_still_gives_way_to_who_judged_the_claim_dead_before_it_was_refreshed(store, monkeypatch):
    lock, entry = StoreLock(store, "run"), store.entry
    lock.take()

    def entry_then_another_comes(name):
        found = entry(name)
        store.write("run/.claims/0", ELSEWHERE.text.encode())
        return found

    monkeypatch.setattr(store, "entry", entry_then_another_comes)
    assert lock.refresh()  # it did not stand still, so the other one refuses
    monkeypatch.setattr(store_lock, "STALE_SECONDS", -1)
    assert not lock.refresh()
    assert claims(store) == {"run/.claims/0"}
