"""Adapters, each trained in a child process of its own."""

VERSION = 1
"""Raised whenever this stage would make something else from the same settings and inputs."""
