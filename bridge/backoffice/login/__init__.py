"""Logging in at the OpenID provider, and keeping the login."""
