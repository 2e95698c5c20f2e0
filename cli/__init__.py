"""The command `tuner`: what a person types and sees. The top layer; nothing imports it."""
