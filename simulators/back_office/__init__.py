"""The simulated back office."""
