"""Which rows are the same as others: exact, near and semantic duplicates."""
