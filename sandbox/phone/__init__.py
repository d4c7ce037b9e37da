"""Phones: the people who follow, say, tap, scan, read and pay."""
