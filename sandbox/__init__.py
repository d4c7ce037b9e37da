"""The other side of the wire: a pretend WeChat official account, WeChat Pay, and phones."""
