"""Columns of texts as numbers, and what is said of rows as columns."""
