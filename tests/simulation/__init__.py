"""Whole worlds from one seed, and the planted bugs they must catch."""
