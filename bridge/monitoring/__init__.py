"""What machines watch: measurements for Prometheus, and whether the service lives and is ready.

Only imported where `[monitoring]` is configured.
"""
