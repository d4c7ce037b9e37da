"""The home hears of somebody who looked it up to pay for it, and not by its number."""
