"""What owners are told and what they ask: tickets."""

from handlers.console import tickets
from handlers.console.permissions import Permission
from handlers.console.routes.route import Route

P = Permission

TELLING: tuple[Route, ...] = (
    Route("GET", "/<code>/tickets", tickets.index, P.TICKETS),
    Route("GET", "/<code>/tickets/<int:number>", tickets.show, P.TICKETS),
    Route("POST", "/<code>/tickets/<int:number>/answer", tickets.answer, P.TICKETS),
    Route("POST", "/<code>/tickets/<int:number>/close", tickets.close, P.TICKETS),
)
