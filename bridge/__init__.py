"""paybridge: the service between cash registers, card terminals and the back office."""

__version__ = "0.1.0"
