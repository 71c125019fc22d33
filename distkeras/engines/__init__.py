"""Where workers run, and how their rows reach them."""
