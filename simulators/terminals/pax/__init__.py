"""A PAX terminal that exists only in software."""
