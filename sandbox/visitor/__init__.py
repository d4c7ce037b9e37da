"""People outside WeChat: a browser of their own on a phone, in Alipay or on a desk.

browser   user agents, cookies, redirects between the service and the sandbox's cashiers
payer     opens a link, chooses a way to pay, confirms at the cashier, comes back
routes    the control API, `/visitor/<name>/…`
"""

from sandbox.visitor.payer import Visitors
from sandbox.visitor.routes import visitor_routes

__all__ = ["Visitors", "visitor_routes"]
