"""French terminals that exist only in software."""
