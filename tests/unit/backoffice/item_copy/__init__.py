"""Unit tests of the copy of items."""
