import numpy as np
import pandas as pd

from nasray.family.member import Rater
from nasray.family.table import find_all


def test_what_a_rater_did_not_rate_it_cannot_find_and_is_counted():
    names = ["1x8:a", "1x8:b", "1x8:c"]
    table = pd.DataFrame({"candidate": names, "rating": [0.1, 0.2, 0.3], "num_params": [9, 2, 1]})
    partly = table.assign(rating=[np.nan, 0.2, np.nan])
    finds = find_all(
        [Rater("whole", [table, table]), Rater("partly", [partly, table], 0)], {"num_params": 18}
    )
    assert finds["architecture"].tolist() == ["1x8:a/1x8:a", "1x8:b/1x8:a"]
    assert finds["num_unrated"].tolist() == [0, 2]
