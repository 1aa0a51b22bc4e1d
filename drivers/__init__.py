"""What terminals say. Pure protocol code: no I/O, no clock, no logging."""
