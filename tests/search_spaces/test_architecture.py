import pytest

from nasray.search_spaces.architecture import Architecture, Candidate


def test_a_candidate_reads_back_from_its_text():
    candidate = Candidate(24, ("mb3k3", "mb6k5.v2"))
    assert str(candidate) == "2x24:mb3k3,mb6k5.v2"
    assert (candidate.depth, candidate.cell) == (2, "2x24")
    assert Candidate.parse(str(candidate)) == candidate


def test_an_architecture_reads_back_from_its_text():
    architecture = Architecture((Candidate(8, ("skip",)), Candidate(16, ("conv3", "conv1"))))
    assert str(architecture) == "1x8:skip/2x16:conv3,conv1"
    assert Architecture.parse(str(architecture)) == architecture


@pytest.mark.parametrize(
    "text",
    ["", "24:mb3k3", "2x24", "2x24:", "0x24:a", "1x0:a", "01x24:a", "2x24:a", "1x24:a,b", "1x24:a b",
     "1x24: a", "2x24:a,", "1x24:a\n", "-1x24:a", "1x24:ä", "1x24:a/1x24:b"],
)  # fmt: skip
def test_a_bad_text_is_no_candidate(text):
    with pytest.raises(ValueError, match=r"candidate|operation's name"):
        Candidate.parse(text)


@pytest.mark.parametrize("text", ["", "/", "1x8:skip/", "1x8:skip//1x8:skip"])
def test_a_bad_text_is_no_architecture(text):
    with pytest.raises(ValueError, match="a candidate is written like"):
        Architecture.parse(text)


def test_impossible_candidates_are_refused():
    with pytest.raises(ValueError, match="width must be at least 1, got 0"):
        Candidate(0, ("skip",))
    with pytest.raises(ValueError, match="at least one operation"):
        Candidate(8, ())
    with pytest.raises(ValueError, match="got 'a,b'"):
        Candidate(8, ("a,b",))
    with pytest.raises(ValueError, match="at least one candidate"):
        Architecture(())
