import numpy as np
import pandas as pd

from nasray.methods.dna_plus.sentence import sentence


def test_what_generations_gave_in_a_sentence():
    table = pd.DataFrame(
        {
            "generation": [1, 2],
            "kendall_tau": [0.25, np.nan],
            "held_out_accuracy": [0.9, 0.85],
            "test_accuracy": [0.88, 0.89],
        }
    )
    figures = {"best_generation": 1, "ended_by": "margin", "margin": 0.002}
    assert sentence(table, figures) == (
        "The best of 2 generations is number 1, whose best architecture, trained for real, is right on 0.9000 of the "
        "held-out and 0.8800 of the test images. Kendall's τ of scores with accuracies was 0.25 in the first "
        "generation and not measured in the last. There is no further one, since the last gained less than 0.002."
    )
    assert "further" not in sentence(table[:1], figures | {"ended_by": "count"})
    assert sentence(table.assign(num_left_out=[20.0, 0.0]), figures).endswith(
        " Architectures with candidates that have no rating are left out of the ranking of generation 1."
    )
    assert sentence(table.assign(num_left_out=[20.0, 5.0]), figures).endswith("of generations 1, 2.")
    assert sentence(table.assign(num_left_out=[0.0, 0.0]), figures) == sentence(table, figures)
