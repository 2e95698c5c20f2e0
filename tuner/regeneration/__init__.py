"""Regeneration: another round of rows, and whether the best new adapter replaces the champion."""

VERSION = 1
"""The version of the stage `compare`; raised whenever its result changes for the same settings and inputs."""
