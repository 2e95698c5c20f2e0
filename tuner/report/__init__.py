"""The report: one page, its figures, and the numbers as JSON and CSV."""
