"""SD-DARTS: a supernet trained with its architecture parameters, taught by its own earlier selves."""
