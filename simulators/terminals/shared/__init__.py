"""What all simulated terminals share: lines, ports, shopper, ledger, command line."""
