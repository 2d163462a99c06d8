"""How far a ranking can be trusted: agreement, intervals, calibration, additivity."""
