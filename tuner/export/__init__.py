"""The dataset card, and the exports of a run: its data as a dataset, and its learning curves to trackers."""
