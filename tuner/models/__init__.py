"""Loading models from a GGUF in a PyPI wheel, from the hub or from a folder."""
