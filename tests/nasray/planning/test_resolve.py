import pytest

from nasray.errors import UserError
from nasray.planning.resolve import resolve
from nasray.run.folder import RunFolder
from nasray.settings.loading import load_config


def test_a_metric_that_gives_no_number_is_refused_before_anything_is_trained(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "numberless_metric.py").write_text(
        "def rate(output, target, scale):\n    return output - target\n"
    )
    plain = tiny()
    plain["searches"][0]["rating"]["metric"] = "numberless_metric:rate"
    config = load_config(plain)
    with pytest.raises(
        UserError, match=r"one finite number per batch, but numberless_metric:rate gave a tensor"
    ):
        resolve(config, RunFolder.of(config), planned=True)
