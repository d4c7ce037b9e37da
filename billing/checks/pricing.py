"""Checks that rebuild amounts from what is stored with them: lines, and shared costs as a whole.

Many lines have the same basis, for a community has few floor plans; each is worked out once.
"""

import json
from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import Row, Text, cast, select, text
from sqlalchemy.orm import Session

from billing.bills import BillLine
from billing.checks.rule import Check, Findings
from billing.money import Money
from billing.pricing import PoolUsage, PricingError, ShareBasis, parse_basis, recompute, uncollected
from billing.pricing.apportion import Pool, pool_amount
from billing.shared_costs import SharedCost

BASES_KEPT_MAX = 50_000
"""How many bases are remembered; what is not found again costs the time it took before."""


def _recompute_lines(session: Session) -> tuple[int, list[dict[str, Any]]]:
    rows = 0
    findings = Findings()
    amounts: dict[str, Money | PricingError] = {}
    query = select(
        BillLine.community_id,
        BillLine.id,
        BillLine.amount,
        cast(BillLine.basis, Text).label("basis"),
    )
    for line in session.execute(query.execution_options(yield_per=5000)):
        rows += 1
        found = amounts.get(line.basis)
        if found is None:
            if len(amounts) >= BASES_KEPT_MAX:
                amounts.clear()
            found = amounts[line.basis] = _amount_of(line.basis)
        if isinstance(found, PricingError):
            findings.add(line.community_id, line.id, str(found))
        elif found != line.amount:
            findings.add(line.community_id, line.id, f"basis gives {found.yuan}")
    return rows, findings.shown


def _amount_of(basis: str) -> Money | PricingError:
    try:
        return recompute(json.loads(basis))
    except PricingError as error:
        return error


SHARES = text(
    """
    SELECT share.community_id, share.cost_id, share.basis, count(*) AS lines
    FROM (
        SELECT DISTINCT ON (line.community_id, cost.id, line.subject_id)
               line.community_id, cost.id AS cost_id, CAST(line.basis AS text) AS basis
        FROM shared_cost cost
        JOIN bill_line line ON line.community_id = cost.community_id
         AND line.item_id = cost.item_id AND line.source_id = cost.id AND line.kind = 'charge'
        WHERE NOT EXISTS (
            SELECT 1 FROM bill_line part
            JOIN bill ON bill.community_id = part.community_id AND bill.id = part.bill_id
            JOIN bill_run run ON run.community_id = bill.community_id AND run.id = bill.run_id
             AND run.state = 'drafting'
            WHERE part.community_id = cost.community_id AND part.item_id = cost.item_id
              AND part.source_id = cost.id AND part.kind = 'charge')
        ORDER BY line.community_id, cost.id, line.subject_id, line.redo DESC
    ) share
    GROUP BY share.community_id, share.cost_id, share.basis
    ORDER BY share.community_id, share.cost_id
    """
)
"""The bases of each shared cost and how many lines have them: of every subject its latest line.

Voided ones count as well: a share that is not to be charged is the company's to bear, not missing.
A cost some run is still drafting from is left alone; its shares are not all there yet.
"""


def _prove_shared_costs(session: Session) -> tuple[int, list[dict[str, Any]]]:
    rows = 0
    findings = Findings()
    shares = session.execute(SHARES.execution_options(yield_per=5000))
    for (community_id, cost_id), group in groupby(shares, attrgetter("community_id", "cost_id")):
        rows += 1
        cost = session.get_one(SharedCost, (community_id, cost_id))
        reason = _fault_of_shares(cost, group)
        if reason is not None:
            findings.add(community_id, cost_id, reason)
    return rows, findings.shown


def _fault_of_shares(cost: SharedCost, group: Iterator[Row[Any]]) -> str | None:
    """Why these shares are not the cost, whole and each once; None when they are."""
    shares: list[ShareBasis] = []
    try:
        for row in group:
            basis = parse_basis(json.loads(row.basis))
            if not isinstance(basis, ShareBasis):
                return "a line of it is not a share"
            shares += [basis] * row.lines
        uncollected(shares)
    except PricingError as error:
        return str(error)
    first = shares[0]
    if (pool_amount(first.pool), first.by) != (pool_amount(_pool_of(cost)), cost.apportion_by):
        return "its shares are of another amount or rule"
    if any(share.cap != cost.cap for share in shares):
        return "a share of it has another cap"
    return None


def _pool_of(cost: SharedCost) -> Pool:
    if cost.amount is not None:
        return cost.amount
    if cost.quantity is None or cost.unit_price is None:
        raise PricingError("shared_cost", "has neither amount nor quantity and price")
    return PoolUsage(cost.quantity, cost.unit_price)


PRICING_CHECKS = [
    Check("every line recomputes from its basis", _recompute_lines),
    Check("the shares of a shared cost are the whole cost, each once", _prove_shared_costs),
]
