from nasray.trainables.settings.kinds import UNIT_KINDS
from nasray.trainables.units import _BUILT_IN


def test_every_kind_of_unit_is_known():
    assert _BUILT_IN.keys() == UNIT_KINDS
