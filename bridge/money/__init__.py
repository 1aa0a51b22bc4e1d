"""The middle: the only place where a payment or a sale changes."""
