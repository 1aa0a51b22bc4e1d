"""The real process on real parts."""
