"""Commands of the command line against a running control socket."""
