"""Simulated card terminals, and what they share."""
