"""What takes longer than one event: split payments, waiting sales, retention, reversals."""
