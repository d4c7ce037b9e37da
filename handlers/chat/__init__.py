"""Answers in the chat: one module per topic, one table of routes, words in `templates/chat`."""
