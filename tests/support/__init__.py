"""What several kinds of test share: one virtual store, built by the bridge's own assembly."""
