"""Mandates, batches and the bank's answers, as staff make them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from billing.direct_debit.batches import (
    cancel_batch,
    get_batch,
    list_orders,
    make_batch,
    mark_sent,
)
from billing.direct_debit.mandates import end_mandate, sign_mandate
from billing.direct_debit.results import ResultOutcome, import_results, read_results
from billing.direct_debit.tables import DirectDebitBatch, OrderState
from billing.payment_tables import PaymentState
from billing.people import get_staff
from billing.statements.grid import parse_grids
from tests.conftest import World, make_vault

ACCOUNT = "6222 0000 1111 2222 333"
DUE_BY = date(2026, 11, 30)
OUT = "批次号,序号,金额,扣款结果,失败原因,扣款日期"


@dataclass
class Debit:
    """The world's direct debit."""

    world: World

    def sign(self, room: str, paper: str, account: str = ACCOUNT, holder: str = "张秀英") -> None:
        with self.world.database.transaction() as session:
            sign_mandate(
                session,
                make_vault(),
                self.world.community.id,
                self.world.unit(room).id,
                contract_code=paper,
                holder=holder,
                account=account,
                signed_on=date(2026, 11, 1),
                by=get_staff(session, "liu"),
                now=self.world.now,
            )

    def end(self, paper: str, on: date = DUE_BY) -> None:
        with self.world.database.transaction() as session:
            end_mandate(
                session, self.world.community.id, paper, on=on, by=get_staff(session, "liu")
            )

    def make(self, due_by: date = DUE_BY) -> DirectDebitBatch:
        with self.world.database.transaction() as session:
            return make_batch(
                session,
                self.world.community.id,
                due_by=due_by,
                by=get_staff(session, "chen"),
                now=self.world.now,
            )

    def send(self, batch: DirectDebitBatch) -> DirectDebitBatch:
        with self.world.database.transaction() as session:
            return mark_sent(
                session,
                self.world.community.id,
                batch.number,
                by=get_staff(session, "chen"),
                now=self.world.now,
            )

    def cancel(self, batch: DirectDebitBatch) -> None:
        with self.world.database.transaction() as session:
            cancel_batch(
                session,
                self.world.community.id,
                batch.number,
                by=get_staff(session, "chen"),
                now=self.world.now,
            )

    def answer(self, batch: DirectDebitBatch, *rows: str, headings: str = OUT) -> ResultOutcome:
        content = "\n".join([headings, *rows]).encode("gb18030")
        with self.world.database.transaction() as session:
            return import_results(
                session,
                self.world.community.id,
                batch.number,
                read_results(parse_grids(content)),
                by=get_staff(session, "chen"),
                now=self.world.now,
            )

    def orders(self, batch: DirectDebitBatch) -> Sequence[tuple[OrderState, PaymentState]]:
        with self.world.database.transaction() as session:
            pairs = list_orders(session, get_batch(session, batch.community_id, batch.number))
            return [(order.state, payment.state) for order, payment in pairs]
