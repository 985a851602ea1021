"""Leaf: the SL1 secure link, sans-I/O."""
