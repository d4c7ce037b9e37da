"""The bot listens: settings, wiring, webhook, dispatch, understanding, command line."""
