"""The back office's gift cards as a payment method."""
