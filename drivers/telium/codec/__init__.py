"""Concert and Caisse-AP bytes and messages, for both sides; what simulators may import. Pure."""
