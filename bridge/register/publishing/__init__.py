"""What registers see: documents, states, receipts, prompts, events."""
