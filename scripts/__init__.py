"""The project's own tools: they are not part of the library, and nothing in it imports them."""
