"""The dataset card, and the export of a run's data as a dataset that others can load."""
