"""Measurements side by side with their floors, in one run. No assertion depends on them."""
