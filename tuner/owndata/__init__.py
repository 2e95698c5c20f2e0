"""Curation of a person's own data: a file of instructions and responses in, the rows worth keeping out."""
