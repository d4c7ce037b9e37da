"""Links in a text, as WeChat makes them tappable. Pure."""

import re

_URL = re.compile(r"https?://[!-;=?-~]+")


def first_url(text: str) -> str | None:
    """Give the first address in a text; it ends at white space, a quote or anything not ASCII."""
    found = _URL.search(text)
    return found[0].rstrip("\"'.,;:!?)") if found else None
