"""Who may import whom, and which names are banned where."""
