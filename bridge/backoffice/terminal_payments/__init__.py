"""Terminals that the POS server drives, as a driver and its line: a station serves them as any."""
