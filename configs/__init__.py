"""The recipes that come with the program. Data; nothing is imported from here."""
