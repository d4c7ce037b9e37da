"""Statements as banks hand them out, and what becomes of them."""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from billing.bank_accounts import add_account, find_account
from billing.people import get_staff
from billing.statements.deciding import match_all
from billing.statements.grid import parse_grids
from billing.statements.importing import Imported, import_statement
from billing.statements.rows import RowView, list_rows
from billing.statements.tables import BankAccount, RowState
from tests.conftest import World, make_vault

HEADINGS = (
    *("交易日期", "交易时间", "贷方发生额", "借方发生额", "余额"),
    *("对方户名", "对方账号", "附言", "交易流水号"),
)
ACCOUNT = "6222000011112222333"


@dataclass(frozen=True)
class Transfer:
    """A movement as the bank prints it."""

    amount: str
    payer: str = ""
    remark: str = ""
    serial: str = ""
    day: str = "2026-11-20"
    clock: str = "09:30:00"
    out: str = ""
    balance: str = ""

    def cells(self) -> list[str]:
        return [
            self.day, self.clock, self.amount, self.out, self.balance, self.payer,
            "6217000099998888777", self.remark, self.serial,
        ]  # fmt: skip


def table(transfers: Sequence[Transfer]) -> str:
    """A statement as text, without title lines."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([HEADINGS, *(one.cells() for one in transfers)])
    return text.getvalue()


@dataclass
class Bank:
    """The world's account, and its statements."""

    world: World

    def account(self, code: str = "icbc", number: str = ACCOUNT) -> BankAccount:
        with self.world.database.transaction() as session:
            found = find_account(session, self.world.community.id, code)
            return found or add_account(
                session,
                make_vault(),
                self.world.community.id,
                code=code,
                holder="花园物业服务有限公司",
                bank=f"{code} 花园支行",
                number=number,
                by=get_staff(session, "chen"),
                now=self.world.now,
            )

    def take(
        self, content: bytes | str | Sequence[Transfer], told: Mapping[str, Any] | None = None
    ) -> Imported:
        """Import a file; rows wait."""
        if not isinstance(content, bytes | str):
            content = table(content)
        raw = content.encode() if isinstance(content, str) else content
        account = self.account()
        with self.world.database.transaction() as session:
            return import_statement(
                session,
                make_vault(),
                account,
                parse_grids(raw),
                told=told or {},
                by=get_staff(session, "chen"),
                now=self.world.now,
            )

    def match(self, limit: int = 500) -> Counter[RowState]:
        """Match what waits."""
        return match_all(
            self.world.database,
            make_vault(),
            self.world.community.id,
            now=self.world.now,
            rows_per_transaction=limit,
        )

    def rows(self, *states: RowState) -> list[RowView]:
        with self.world.database.transaction() as session:
            return list_rows(session, make_vault(), self.world.community.id, states=states)

    def decided(self, *transfers: Transfer) -> list[RowView]:
        """Import, match, and look."""
        self.take(transfers)
        self.match()
        return self.rows()
