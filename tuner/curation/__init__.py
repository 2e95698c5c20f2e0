"""Which rows are kept, and why the others are not."""

VERSIONS = {"examine": 1, "match": 1, "curate": 2}
"""Of each stage; raised whenever it would make something else from the same settings and inputs."""
