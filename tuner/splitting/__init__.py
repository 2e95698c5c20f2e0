"""Which rows are held out."""

VERSION = 2
"""Raised whenever this stage would make something else from the same settings and inputs."""
