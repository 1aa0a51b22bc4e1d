"""Which ports and terminals there are; only `paybridge find` uses it."""
