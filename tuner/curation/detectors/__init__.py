"""Detectors of the checks of single rows."""
