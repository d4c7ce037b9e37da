"""What belongs to who signed in, and the staff themselves."""

from handlers.console import account, members
from handlers.console.permissions import Permission
from handlers.console.routes.route import Route

P = Permission

OWN: tuple[Route, ...] = (
    Route("GET", "/account", account.show, None),
    Route("POST", "/account/password", account.change, None),
    Route("POST", "/account/sessions/<int:number>/end", account.end, None),
    Route("POST", "/sign-out", account.sign_out, None),
    Route("GET", "/staff", members.index, P.STAFF),
    Route("GET", "/staff/new", members.new, P.STAFF),
    Route("POST", "/staff/new", members.add, P.STAFF),
    Route("GET", "/staff/<int:number>", members.show, P.STAFF),
    Route("POST", "/staff/<int:number>", members.change, P.STAFF),
    Route("POST", "/staff/<int:number>/account", members.issue, P.STAFF),
    Route("POST", "/staff/<int:number>/code", members.bind, P.STAFF),
    Route("POST", "/staff/<int:number>/leave", members.leave, P.STAFF),
    Route("GET", "/audit", members.log, P.AUDIT),
)
