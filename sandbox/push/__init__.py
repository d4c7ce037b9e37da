"""Pushes to the service's webhook: what WeChat tells it, and the answer it gets.

documents (the XML of each push) → envelope (seal) → courier (five seconds, three tries)
answer → envelope (open) → replies (what the person is to see)
line: one phone's pushes keep their order, phones do not wait for each other
"""
