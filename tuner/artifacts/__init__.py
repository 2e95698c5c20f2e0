"""The results of stages: fingerprints, manifests and the store that holds the files."""
