"""The scenes of the demo, by theme. Each says what must come of it, and holds it to that."""
