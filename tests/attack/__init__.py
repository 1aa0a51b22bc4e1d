"""Sequences that once broke, or could break, a rule about money. Each fails without its guard."""
