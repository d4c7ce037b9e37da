"""Payment channels on the pretend providers."""
