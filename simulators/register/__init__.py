"""The simulated cash register."""
