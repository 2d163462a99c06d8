"""Trust in a ranking: agreement, intervals, calibration, additivity."""
