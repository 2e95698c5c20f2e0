"""Sweeps: the trials of an adapter, each with settings of its own under the same budget, and the race between them."""
