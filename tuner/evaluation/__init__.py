"""One evaluator for the base model and all adapters."""

VERSION = 1
"""Raised whenever this stage would make something else from the same settings and inputs."""
