"""Magpie: a chat model continues its own template into instructions and then answers them."""
