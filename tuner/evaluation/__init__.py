"""One evaluator for the base model and all adapters."""

BASE = "base"
"""The subject that is the student without any adapter."""

VERSION = 2
"""Raised whenever this stage would make something else from the same settings and inputs."""
