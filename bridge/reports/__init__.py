"""What people are shown of the journal: typed rows, read beside the service. Changes nothing."""
