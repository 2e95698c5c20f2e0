"""The checks, each a section of the recipe. Their patterns and kernels lie in `tuner.curation.detectors`."""
