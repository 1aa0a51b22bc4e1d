"""Parts of the bridge wired together: real journals, virtual time, no processes."""
