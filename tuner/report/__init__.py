"""What a person looks at in the end."""

VERSION = 3
"""Raised whenever this stage would make something else from the same settings and inputs."""
