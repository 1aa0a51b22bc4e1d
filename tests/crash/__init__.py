"""SIGKILL at each labelled point, then the ledgers are compared."""
