from nasray.trainables.settings.kinds import UNIT_KINDS
from nasray.trainables.units import _RUN


def test_every_kind_of_unit_is_known():
    assert {spec.model_fields["kind"].default for spec in _RUN} == UNIT_KINDS
