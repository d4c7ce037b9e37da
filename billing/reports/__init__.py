"""Numbers about a community as a whole; each defined where it is computed."""
