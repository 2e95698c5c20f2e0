"""Whether what a model draws is instructions: under which opening of a prompt, and when a run had better stop."""
