"""The wires to the back office, against the simulated one and against raw sockets."""
