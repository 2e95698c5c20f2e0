"""Curation of a user's own data: reads a file of instructions and responses, and writes the rows worth keeping."""
