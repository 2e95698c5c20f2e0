"""The race of a sweep, simulated on curves of whole sweeps: how often it keeps the winner, and what it saves."""
