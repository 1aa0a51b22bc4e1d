"""What registers ask for: from a message to the ledger or a terminal."""
