"""The kinds of units of work, by which settings tell them apart."""

UNIT_KINDS = frozenset(
    {
        "additivity",
        "block",
        "features",
        "manifest",
        "rating",
        "rating_table",
        "refinement",
        "retrain",
        "sd_darts",
        "seed_table",
        "stitch",
        "teacher",
    }
)
