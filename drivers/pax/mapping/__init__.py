"""Between the driver contract and POSLINK: what an answer proves. Pure."""
