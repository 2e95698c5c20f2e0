"""Where flows run: deployments, the local server and worker, container files."""
