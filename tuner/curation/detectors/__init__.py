"""What is looked for in a row alone."""
