"""One evaluator for the base model and all adapters."""

BASE = "base"
"""The subject that is the student without any adapter."""
