"""Splits kept rows into training and held-out (validation) rows."""
