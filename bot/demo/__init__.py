"""The demo: a whole installation on one machine, talking to the sandbox instead of WeChat.

Only base URLs and keys differ from production: the same processes, signatures, encryption and
retries.
"""
