"""A copy of the back office's items in its own file: kept fresh, asked when the line is down."""
