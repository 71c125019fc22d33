"""A center in several processes."""
