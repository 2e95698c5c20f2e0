"""Training of adapters, each in its own child process."""
