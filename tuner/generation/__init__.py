"""Magpie: a chat model's own template, cut before the user's words, continued into instructions and answered."""
