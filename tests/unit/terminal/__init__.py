"""Tests of bridge/terminal."""
