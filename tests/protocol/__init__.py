"""Byte vectors with meaning and source, conformance, round trips."""
