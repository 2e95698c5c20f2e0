"""Evaluates the base model and all adapters alike."""

BASE = "base"
"""The name of the student without an adapter among the subjects."""
