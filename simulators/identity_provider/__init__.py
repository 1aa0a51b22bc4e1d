"""The simulated OpenID provider."""
