"""What several kinds of test share: the virtual store, and the stores and counters made of it."""
