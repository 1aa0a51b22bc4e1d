"""Versions of the program side by side: which one runs, and what an upgrade may do by itself."""
