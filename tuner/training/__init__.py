"""Adapters, each trained in a child process of its own."""
