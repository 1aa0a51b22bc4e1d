"""The operator console: pages that say what is, and take a person's word where one is needed.

It decides nothing: every answer goes the way of the command line (`bridge/control.py`). What it
shows comes from `sources.py`. The service loads it only where `[console]` is configured.
"""
