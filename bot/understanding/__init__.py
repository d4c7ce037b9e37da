"""Understanding: from what a person types to an intent and its slots, without network or database."""
