"""The command `tuner`: the command-line interface. The top layer; nothing imports it."""
