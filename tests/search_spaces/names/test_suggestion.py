from nasray.search_spaces.names.suggestion import did_you_mean


def test_a_near_name_is_suggested():
    assert did_you_mean("conf3", ["skip", "conv1", "conv3"]) == "; did you mean 'conv3'?"


def test_nothing_is_suggested_where_nothing_is_near():
    assert did_you_mean("attention", ["skip", "conv1"]) == ""
