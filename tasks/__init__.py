"""Prefect tasks: thin wrappers around the work, which is in `tuner`."""
