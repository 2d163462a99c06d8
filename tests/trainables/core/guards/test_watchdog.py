import subprocess
import sys
import textwrap

import pytest

WATCHED = """
    import time
    from nasray.trainables.core.guards.faults import place_of
    from nasray.trainables.core.guards.watchdog import doing, step_made, unwatched, watched

    def told(task, stack):
        print(task, place_of(stack), flush=True)

    with watched(0.5, told):
"""


def run(tmp_path, body, afterwards=""):
    script = tmp_path / "hanging.py"
    script.write_text(f"{textwrap.dedent(WATCHED)}{textwrap.indent(body, '    ')}\n{afterwards}")
    return subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)


def test_what_hangs_is_ended_with_its_task_and_place(tmp_path):
    done = run(tmp_path, "with doing('this'):\n    time.sleep(100)")
    assert (done.returncode, done.stdout) == (1, "this hanging.py:11\n"), done.stderr


def test_a_task_that_is_over_is_not_to_blame(tmp_path):
    done = run(tmp_path, "with doing('this'):\n    pass\ntime.sleep(100)")
    assert (done.returncode, done.stdout) == (1, "None hanging.py:12\n"), done.stderr


@pytest.mark.parametrize(
    "body",
    ["for _ in range(12):\n    time.sleep(0.1)\n    step_made()", "with unwatched():\n    time.sleep(1.2)"],
)
def test_what_gets_on_or_waits_for_others_is_left_alone(tmp_path, body):
    done = run(tmp_path, f"{body}\nprint('through')")
    assert (done.returncode, done.stdout) == (0, "through\n"), done.stderr


def test_nothing_is_watched_afterwards(tmp_path):
    done = run(tmp_path, "pass", "time.sleep(1.2)\nprint('through')")
    assert (done.returncode, done.stdout) == (0, "through\n"), done.stderr
