"""What owners are told and what they ask: tickets, broadcasts, notices, what was not understood."""

from handlers.console import broadcasts, heard, homes_notices, notices, tickets
from handlers.console.permissions import Permission
from handlers.console.routes.route import Route

P = Permission

TELLING: tuple[Route, ...] = (
    Route("GET", "/<code>/tickets", tickets.index, P.TICKETS),
    Route("GET", "/<code>/tickets/<int:number>", tickets.show, P.TICKETS),
    Route("POST", "/<code>/tickets/<int:number>/answer", tickets.answer, P.TICKETS),
    Route("POST", "/<code>/tickets/<int:number>/close", tickets.close, P.TICKETS),
    Route("GET", "/<code>/broadcasts", broadcasts.index, P.NOTICES),
    Route("GET", "/<code>/broadcasts/new", broadcasts.new, P.NOTICES),
    Route("POST", "/<code>/broadcasts/new", broadcasts.draft, P.NOTICES),
    Route("GET", "/<code>/broadcasts/<int:number>", broadcasts.show, P.NOTICES),
    Route(
        "GET",
        "/<code>/broadcasts/<int:number>/live",
        broadcasts.live,
        P.NOTICES,
        asks_itself=True,
    ),
    Route("POST", "/<code>/broadcasts/<int:number>/confirm", broadcasts.confirm, P.NOTICES),
    Route("POST", "/<code>/broadcasts/<int:number>/cancel", broadcasts.cancel, P.NOTICES),
    Route("GET", "/<code>/notices", notices.index, P.NOTICES),
    Route("GET", "/<code>/notices/outcomes", notices.outcomes, P.NOTICES),
    Route("GET", "/<code>/notices/<int:number>", notices.show, P.NOTICES),
    Route("GET", "/<code>/homes/<int:number>/notices", homes_notices.index, P.NOTICES),
    Route("GET", "/<code>/heard", heard.index, P.TICKETS),
    Route("POST", "/<code>/heard/<int:number>", heard.label, P.TICKETS),
)
