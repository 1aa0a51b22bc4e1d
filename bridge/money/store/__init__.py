"""The journal, and what is read from it."""
