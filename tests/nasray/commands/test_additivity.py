import io
import json

import pandas as pd
import pytest
from rich.console import Console

from nasray.commands.additivity import measure_additivity
from nasray.experiment import search
from nasray.views.additivity import print_additivity

pytestmark = pytest.mark.timeout(600)


def test_blocks_of_a_finished_run_are_swapped_together_and_alone(tiny):
    folder = search(tiny(), ["searches.0.epochs=1"], stages=["ratings"]).folder
    found = measure_additivity(folder, 5)
    assert found.figures.keys() == {"0+1"}
    assert found.figures["0+1"]["num_swaps"] == len(found.swaps) <= 5
    stored = pd.read_parquet(folder / "additivity.parquet")
    assert list(stored["together"]) == list(found.swaps["together"])
    assert json.loads((folder / "additivity.json").read_text()) == found.figures
    modified = (folder / "units" / "additivity" / "additivity.parquet").stat().st_mtime_ns
    measure_additivity(folder, 5)
    assert (folder / "units" / "additivity" / "additivity.parquet").stat().st_mtime_ns == modified

    text = io.StringIO()
    print_additivity(found, Console(width=200, highlight=False, file=text))
    assert "0+1" in text.getvalue()
    assert "the sum of what each does alone" in text.getvalue()

    with pytest.raises(ValueError, match="at least 1, got 0"):
        measure_additivity(folder, 0)
    (folder / "units" / "block_0" / "2x8" / "supernet.safetensors").unlink()
    with pytest.raises(ValueError, match="1 of 3 are not"):
        measure_additivity(folder, 5)


def test_a_folder_of_no_run_is_refused(tmp_path):
    with pytest.raises(ValueError, match="RUN must be the folder of a run"):
        measure_additivity(tmp_path)
