"""The judge of live registers."""
