"""Processes that die: those of units, and the command itself."""

import time

from faults.outcome import Outcome, Place
from faults.search import Search, SurvivalError, send

NUM_UNIT_KILLS, NUM_COMMAND_KILLS = 20, 5
_LONGEST_PAUSE_SECONDS = 2.0
_SHARE_AT_WORK = 0.75  # of the kills; the others may come while the process that follows is starting


def kill_units(place: Place) -> Outcome:
    """SIGKILL to the process of a unit at random moments, in as many searches as it takes."""
    injected, seconds, number, last_kill = 0, 0.0, 0, 0.0
    while injected < NUM_UNIT_KILLS:
        number += 1
        with Search(place.folder / str(number)) as search:
            search.start()
            while injected < NUM_UNIT_KILLS and search.is_running:
                if place.rng.random() < _SHARE_AT_WORK:
                    search.wait_for_progress(last_kill)
                time.sleep(place.rng.uniform(0, _LONGEST_PAUSE_SECONDS))
                for trial in search.trials()[:1]:
                    lost = search.seconds_at_risk(last_kill)
                    if send(trial):
                        injected, seconds, last_kill = injected + 1, seconds + lost, time.time()
            search.finish()
            place.check(search)
    return Outcome(injected, injected, seconds)


def kill_command(place: Place) -> Outcome:
    """SIGKILL to `nasray search` at random moments, and the same command again."""
    injected, seconds = 0, 0.0
    with Search(place.folder) as search:
        while injected < NUM_COMMAND_KILLS:
            before = search.done()
            search.start()
            search.wait_for_progress(time.time())
            time.sleep(place.rng.uniform(0, _LONGEST_PAUSE_SECONDS))
            if not search.is_running:  # all is done: nothing is left to be disturbed
                break
            injected, seconds = injected + 1, seconds + search.seconds_at_risk()
            search.kill()
            _check_kept(search, before)
        before = search.done()
        search.complete()
        _check_kept(search, before)
        place.check(search)
    return Outcome(injected, injected, seconds)


def _check_kept(search: Search, before: dict) -> None:
    """Hold a launch to leaving alone what was finished before.

    Raises:
        SurvivalError: A finished unit was run again.
    """
    after = search.done()
    again = [path for path, written in before.items() if after.get(path) != written]
    if again:
        raise SurvivalError(f"finished units must not run again, {again} did")
