"""Search strategies that train networks for real, behind one small interface: the baselines of a block-wise search."""
