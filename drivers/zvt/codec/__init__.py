"""ZVT bytes and messages, for both sides; what simulators may import. Pure."""
