"""Pretend official account: the API a service calls, and what it keeps."""
