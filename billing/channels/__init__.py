"""Payment channels: the only part of billing that talks to payment providers."""
