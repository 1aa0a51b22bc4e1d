"""Unit tests of what pretends: each simulator is tested before it judges others."""
