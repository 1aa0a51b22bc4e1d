"""Receipts as registers print them: shown after a payment, and given again on demand. Pure."""
