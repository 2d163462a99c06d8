import pytest

from nasray.analysis.counting.counting import Count
from nasray.analysis.counting.coverage import Coverage
from nasray.analysis.counting.statement import left_out, left_out_since, proof, ranked, scope
from nasray.analysis.exact.unrated import Unrated

BAD = Unrated(1, 5, 9, "2x16:bad,sep3", ("bad",), (), "non-finite output")
OTHER = Unrated(2, 1, 9, "2x24:sep3,sep3", (), (), "")
PROVED = {"proved": True, "gap": 0.0}


def covering(number, missing=0, *unrated):
    return Coverage(Count(number, number), Count(missing, missing), unrated)


def test_of_a_whole_space_the_proof_is_plain():
    assert proof(PROVED, covering(1234)) == (
        "Proved: no other of the 1,234 architectures within the budgets is better than those listed."
    )


def test_a_proof_says_what_it_leaves_out():
    assert proof(PROVED, covering(14, 10, BAD)) == (
        "Proved: no other of the 14 rated architectures within the budgets is better than those listed; 10 more are "
        "not ranked, since these candidates have no rating: 5 of the 9 in block 1, each with `bad` (non-finite output)."
    )
    assert proof(PROVED, covering(14, 1, BAD, OTHER)).endswith(
        "; 1 more is not ranked, since these candidates have no rating: 5 of the 9 in block 1, each with `bad` "
        "(non-finite output); 1 of the 9 in block 2, 2x24:sep3,sep3."
    )


@pytest.mark.parametrize(
    ("gap", "text"),
    [
        (
            0.25,
            "of the 14 rated architectures within the budgets, one that is not listed may be better by 0.25 at",
        ),
        (
            None,
            "time ran out before so many of the 14 rated architectures within the budgets were found; 10 more",
        ),
        (
            float("inf"),
            "time ran out before so many of the 14 rated architectures within the budgets were found",
        ),
    ],
)
def test_so_does_what_is_not_proved(gap, text):
    told = proof({"proved": False, "gap": gap}, covering(14, 10, BAD))
    assert told.startswith("Not proved: ")
    assert text in told
    assert "; 10 more are not ranked" in told


def test_candidates_that_leave_nothing_out_are_told_beside_the_plain_proof():
    assert proof(PROVED, covering(14, 0, BAD)) == (
        "Proved: no other of the 14 architectures within the budgets is better than those listed; candidates without "
        "a rating stand in none of these: 5 of the 9 in block 1, each with `bad` (non-finite output)."
    )


def test_bounds_are_told():
    covered = Coverage(Count(10, 2 * 10**17), Count(0, 5), (BAD,))
    assert ranked(covered).startswith("between 10 and 200,000,000,000,000,000 (about 2.0")
    assert left_out(covered) == "; up to 5 more are not ranked"
    assert left_out(Coverage(Count(1, 1), Count(3, 5), (BAD,))) == "; between 3 and 5 more are not ranked"


def test_nothing_is_said_to_be_left_out_of_a_whole_space():
    covered = covering(54)
    assert (left_out(covered), left_out_since(covered), scope(covered, "The ranking is")) == ("", "", "")
    assert scope(covering(14, 10, BAD), "The ranking is") == (
        "The ranking is of the 14 rated architectures within the budgets; 10 more are not ranked."
    )
