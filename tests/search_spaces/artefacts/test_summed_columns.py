import json

import pytest

from nasray.errors import UserError
from nasray.search_spaces.artefacts.summed_columns import check_summed, summed_metadata

(KEY,) = summed_metadata([])


def test_metadata_say_that_columns_add_up_and_that_less_is_better():
    metadata = summed_metadata(["rating", "num_macs"])
    facts = {"adds_up": True, "better": "lower"}
    assert json.loads(metadata[KEY]) == {"rating": facts, "num_macs": facts}
    check_summed(metadata)


@pytest.mark.parametrize("metadata", [None, {}, {b"pandas": b"{}"}])
def test_what_says_nothing_is_taken_as_it_is(metadata):
    check_summed(metadata)


@pytest.mark.parametrize(
    "facts", [{"adds_up": True, "better": "higher"}, {"adds_up": False, "better": "lower"}, 1]
)
def test_other_columns_are_refused(facts):
    said = {"rating": {"adds_up": True, "better": "lower"}, "accuracy": facts}
    with pytest.raises(
        UserError, match=r"column accuracy must add up over blocks, lower is better: .*metadata say"
    ):
        check_summed({KEY: json.dumps(said).encode()})


@pytest.mark.parametrize("text", [b"[]", b"{", b"\xff"])
def test_another_form_is_refused(text):
    with pytest.raises(UserError, match="in a table's metadata must be a JSON object"):
        check_summed({KEY: text})
