"""Which rows are held out."""

VERSION = 1
"""Raised whenever this stage would make something else from the same settings and inputs."""
