import io
from types import SimpleNamespace

from rich.console import Console

from nasray.execution.live_view import LiveView
from nasray.scheduling.unit import Unit


def trial(name):
    return SimpleNamespace(config={"name": name})


def units(*names):
    return [Unit(SimpleNamespace(name=name)) for name in names]


def shown(console, *names):
    """The view of one schedule, after it."""
    with LiveView(console).showing(units(*names)) as view:
        return view


def result(epoch):
    return {
        "epoch": epoch,
        "num_epochs": 4,
        "train_loss": 0.25,
        "held_out_relative_l1": 0.5,
        "seconds": 2.0,
    }


def rendered(view, console):
    with console.capture() as captured:
        console.print(view._table())
    return captured.get()


def test_a_terminal_shows_epoch_loss_and_time_left_of_what_runs():
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    view = shown(console, "block_0/2x16", "block_1/2x24")
    view.on_trial_start(0, [], trial("block_0/2x16"))
    view.on_trial_result(0, [], trial("block_0/2x16"), result(1))
    text = rendered(view, console)
    for part in ("0 of 2 units done", "running", "1/4", "0.2500", "relative_l1 0.5000", "6 s", "waiting"):
        assert part in text
    view.on_trial_recover(0, [], trial("block_0/2x16"))
    assert "running" not in rendered(view, console)
    view.on_trial_start(0, [], trial("block_0/2x16"))
    view.on_trial_result(0, [], trial("block_0/2x16"), result(4))
    assert "rating" in rendered(view, console)
    view.on_trial_complete(0, [], trial("block_0/2x16"))
    assert "1 of 2 units done" in rendered(view, console)


def test_elsewhere_each_finished_unit_is_a_line():
    file = io.StringIO()
    with LiveView(Console(file=file, width=120)).showing(units("a", "b")) as view:
        for name in ("a", "b"):
            view.on_trial_start(0, [], trial(name))
        view.on_trial_result(0, [], trial("a"), result(4))
        view.on_trial_complete(0, [], trial("a"))
        view.on_trial_result(0, [], trial("b"), {"failure": "train_loss must stay finite"})
        view.on_trial_complete(0, [], trial("b"))
        view.on_step_end(0, [])
    lines = file.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("a ")
    assert "done" in lines[0]
    assert "failed" in lines[1]
    assert lines[1].endswith("train_loss must stay finite")


def test_of_a_thousand_units_those_that_failed_or_run_are_seen_and_all_are_counted():
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    names = [f"retrain/{number}" for number in range(1000)]
    view = shown(console, *names)
    for name in names[:100]:
        view.on_trial_start(0, [], trial(name))
    for name in names[:35]:
        view.on_trial_complete(0, [], trial(name))
    view.on_trial_error(0, [], trial(names[99]))
    text = rendered(view, console)
    assert "35 of 1,000 units done, 64 running, 1 failed" in text
    assert "retrain/99" in text
    assert len(text.splitlines()) == 27
    assert "and 976 more" in text


def test_units_are_counted_over_all_schedules_of_a_launch():
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    view = LiveView(console)
    with view.showing(units("teacher", "block_0/2x16")):
        for name in ("teacher", "block_0/2x16"):
            view.on_trial_start(0, [], trial(name))
            view.on_trial_complete(0, [], trial(name))
    with view.showing(units("retrain/a", "retrain/b", "retrain/c")):
        view.on_trial_start(0, [], trial("retrain/a"))
        assert "2 of 5 units done, 1 running" in rendered(view, console)
