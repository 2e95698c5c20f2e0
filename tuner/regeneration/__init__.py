"""Regeneration: another round of rows, and whether what is trained on them replaces the champion."""

VERSION = 1
"""Of the stage `compare`; raised whenever it would make something else from the same settings and inputs."""
