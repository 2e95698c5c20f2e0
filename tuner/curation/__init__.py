"""Which rows are kept, and why the others are not."""
