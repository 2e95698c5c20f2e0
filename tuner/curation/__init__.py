"""Which rows are kept, and why the others are not."""

VERSION = 1
"""Raised whenever this stage would make something else from the same settings and inputs."""
