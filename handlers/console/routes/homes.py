"""Homes, their people, bills and terms; what waits for a yes."""

from handlers.console import (
    approvals,
    codes,
    homes,
    homes_bill,
    homes_deposits,
    homes_people,
    homes_statement,
    homes_terms,
)
from handlers.console.permissions import Permission
from handlers.console.routes.route import Route

P = Permission

HOMES: tuple[Route, ...] = (
    Route("GET", "/<code>/homes", homes.index, P.LOOK),
    Route("GET", "/<code>/homes/<int:number>", homes.show, P.LOOK),
    Route("GET", "/<code>/homes/<int:number>/bills", homes_bill.index, P.LOOK),
    Route("GET", "/<code>/homes/<int:number>/statement", homes_statement.show, P.LOOK),
    Route("GET", "/<code>/bills/<int:number>", homes_bill.show, P.LOOK),
    Route("GET", "/<code>/bills/<int:number>/paper", homes_bill.paper, P.LOOK),
    Route("POST", "/<code>/bills/<int:number>/adjust", homes_bill.adjust, P.CORRECT),
    Route("POST", "/<code>/bills/<int:number>/reverse", homes_bill.reverse, P.CORRECT),
    Route("POST", "/<code>/bills/<int:number>/share", homes_bill.share, P.CORRECT),
    Route("GET", "/<code>/homes/<int:number>/deposits", homes_deposits.show, P.LOOK),
    Route("POST", "/<code>/homes/<int:number>/deposits", homes_deposits.take, P.COLLECT),
    Route("POST", "/<code>/homes/<int:number>/deposits/give", homes_deposits.give, P.COLLECT),
    Route("GET", "/<code>/homes/<int:number>/people", homes_people.show, P.LOOK),
    Route("POST", "/<code>/homes/<int:number>/people/reveal", homes_people.reveal, P.PERSONAL),
    Route("POST", "/<code>/homes/<int:number>/people", homes_people.enter, P.PEOPLE),
    Route("POST", "/<code>/homes/<int:number>/people/leave", homes_people.leave, P.PEOPLE),
    Route("POST", "/<code>/homes/<int:number>/hand-over", homes_people.hand, P.PEOPLE),
    Route("POST", "/<code>/homes/<int:number>/unbind", homes_people.unbind, P.PEOPLE),
    Route("POST", "/<code>/homes/<int:number>/code", homes_people.code, P.PEOPLE),
    Route("GET", "/<code>/homes/<int:number>/terms", homes_terms.show, P.LOOK),
    Route("POST", "/<code>/homes/<int:number>/freeze", homes_terms.stop, P.APPROVE),
    Route("POST", "/<code>/homes/<int:number>/unfreeze", homes_terms.resume, P.APPROVE),
    Route("POST", "/<code>/homes/<int:number>/discount", homes_terms.grant, P.APPROVE),
    Route("POST", "/<code>/homes/<int:number>/price", homes_terms.price, P.APPROVE),
    Route("POST", "/<code>/homes/<int:number>/terms/end", homes_terms.end, P.APPROVE),
    Route("POST", "/<code>/homes/<int:number>/deduction", homes_terms.deduct, P.CORRECT),
    Route("GET", "/<code>/approvals", approvals.index, P.LOOK),
    Route(
        "POST",
        "/<code>/approvals/adjustments/<int:number>",
        approvals.adjustment,
        P.APPROVE,
    ),
    Route("POST", "/<code>/approvals/bindings/<int:number>", approvals.binding, P.PEOPLE),
    Route("GET", "/<code>/codes", codes.new, P.PEOPLE),
    Route("POST", "/<code>/codes", codes.make, P.PEOPLE),
)
