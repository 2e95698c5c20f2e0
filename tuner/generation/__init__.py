"""Magpie: a chat model's own template, cut before the user's words, continued into instructions and answered."""

VERSION = 1
"""Raised whenever this stage would make something else from the same settings and inputs."""
