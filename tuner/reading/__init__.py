"""Reads rows that people bring: files, folders and data sets of the hub, in the layouts in which they are published."""
