"""POSLINK conversations, as scripts. Pure."""
