"""Pure tests of one module each."""
