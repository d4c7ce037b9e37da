"""One module per measured promise; each returns the JSON of `mingzhang bench …`."""
