"""Prefect tasks: thin, one module a stage. What they do lies in `tuner`."""
