"""Prefect deployments, work pools, the local server and workers, and container files."""
