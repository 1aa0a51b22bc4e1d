"""Between the driver contract and ZVT: operations, receipts, what an answer proves. Pure."""
