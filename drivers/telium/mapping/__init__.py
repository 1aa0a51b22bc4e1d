"""Between the driver contract and Concert: what an answer proves. Pure."""
