"""The names of columns that several tables of a run share."""

CANDIDATE = "candidate"
CELL = "cell"
DEPTH = "depth"
WIDTH = "width"
OPERATIONS = "operations"
IN_CHANNELS = "in_channels"
OUT_CHANNELS = "out_channels"
RATING = "rating"
RATING_BATCHES = "rating_batches"
RATING_SEEDS = "rating_seeds"
SWAP_IN = "swap_in"
SWAP_IN_BATCHES = "swap_in_batches"
NUM_PARAMS = "num_params"
NUM_MACS = "num_macs"
UNCOUNTED = "uncounted"
FAILURE = "failure"
LATENCY_MS = "latency_ms"

# Of tables of architectures.
ARCHITECTURE = "architecture"
SCORE = "score"
SWAP_IN_SCORE = "swap_in_score"
STITCHED_ACCURACY = "stitched_accuracy"
ACCURACY, ACCURACIES = "accuracy", "accuracies"

# Of a trained network.
TEST_ACCURACY = "test_accuracy"
HELD_OUT_ACCURACY = "held_out_accuracy"

# Names that stand beside the arms of a comparison, where networks are drawn: a uniform draw, and trivial measures.
RANDOM = "random"
TRIVIAL = ("parameters", "MACs", "depth then MACs")
