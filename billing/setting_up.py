"""What a community still lacks before it can bill and be paid, in the order it is seen to.

`read_books` asks the books, `list_steps` decides (pure). What only the server can say, whether
keys work and backups are made, `mingzhang doctor` tells.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.labels import LabelEnum


class Step(LabelEnum):
    """What is done to open a community (开通)."""

    HOMES = "homes", "导入房屋和住户"
    TARIFFS = "tariffs", "设置收费项目和标准"
    METERS = "meters", "登记表具"
    MERCHANT = "merchant", "开通线上收款"
    BANK_ACCOUNT = "bank_account", "登记收款银行账户"
    TEMPLATES = "templates", "设置消息模板"
    STAFF = "staff", "员工账号和动态码"
    CODES = "codes", "打印绑定码"
    DRAFT = "draft", "试出第一期账单"
    PUBLISHED = "published", "发布第一期账单"
    BACKUP = "backup", "备份"


class StepState(LabelEnum):
    """How far a step is."""

    DONE = "done", "已完成"
    NEXT = "next", "现在做"
    LATER = "later", "之后"
    OPTIONAL = "optional", "可选"
    UNNEEDED = "unneeded", "用不到"
    UNKNOWN = "unknown", "在服务器上检查"


OPTIONAL = frozenset({Step.BANK_ACCOUNT})
"""Owners can pay without it."""


@dataclass(frozen=True, slots=True)
class BooksOpened:
    """What the books say of a community.

    Attributes:
        unmetered: names of items charged by usage of which no meter is written down.
        is_metered: whether anything is charged by usage.
        has_codes: whether codes for homes were handed out, or somebody bound his home otherwise.
        unsafe: logins of its own staff who handle money or settings and have no second factor;
            those who work for all communities are not named to the staff of one.
    """

    has_homes: bool
    has_tariffs: bool
    is_metered: bool
    unmetered: Sequence[str]
    has_merchant: bool
    has_bank_account: bool
    has_manager: bool
    unsafe: Sequence[str]
    has_codes: bool
    has_draft: bool
    has_published: bool


@dataclass(frozen=True, slots=True)
class StepDone:
    """A step and how far it is."""

    step: Step
    state: StepState

    @property
    def is_over(self) -> bool:
        """Whether nobody has to see to it."""
        return self.state not in (StepState.NEXT, StepState.LATER)


READ = text(
    """
    WITH metered AS (
        SELECT DISTINCT item.id, item.name FROM charge_item item
        JOIN tariff ON tariff.community_id = item.community_id AND tariff.item_id = item.id
        WHERE item.community_id = :community AND tariff.price ->> 'method' IN ('metered', 'tiered')
          AND coalesce(item.active_to, 'infinity') > :today
    )
    SELECT
      EXISTS (SELECT FROM unit WHERE community_id = :community) AS has_homes,
      EXISTS (SELECT FROM tariff WHERE community_id = :community AND effective_from <= :today)
        AS has_tariffs,
      EXISTS (SELECT FROM metered) AS is_metered,
      ARRAY(SELECT name FROM metered WHERE NOT EXISTS (
              SELECT FROM meter WHERE community_id = :community AND item_id = metered.id)
            ORDER BY id) AS unmetered,
      EXISTS (SELECT FROM community_merchant WHERE community_id = :community) AS has_merchant,
      EXISTS (SELECT FROM bank_account WHERE community_id = :community AND ended_at IS NULL)
        AS has_bank_account,
      EXISTS (SELECT FROM staff JOIN staff_credential ON staff_id = staff.id
              WHERE coalesce(community_id, :community) = :community AND left_at IS NULL
                AND role = 'manager') AS has_manager,
      ARRAY(SELECT login FROM staff JOIN staff_credential ON staff_id = staff.id
            WHERE community_id = :community AND left_at IS NULL
              AND role IN ('manager', 'accountant', 'cashier') AND totp_sealed IS NULL
            ORDER BY login) AS unsafe,
      EXISTS (SELECT FROM binding_code WHERE community_id = :community AND unit_id IS NOT NULL)
        OR EXISTS (SELECT FROM binding WHERE community_id = :community) AS has_codes,
      EXISTS (SELECT FROM bill_run WHERE community_id = :community AND kind = 'regular')
        AS has_draft,
      EXISTS (SELECT FROM bill_run_chunk chunk JOIN bill_run run
                ON run.community_id = chunk.community_id AND run.id = chunk.run_id
              WHERE chunk.community_id = :community AND chunk.state = 'issued'
                AND run.kind = 'regular') AS has_published
    """
)


def read_books(session: Session, community_id: int, today: date) -> BooksOpened:
    """What the books say; one statement that asks whether there is any, and counts nothing."""
    row = session.execute(READ, {"community": community_id, "today": today}).one()
    return BooksOpened(**row._mapping)


def list_steps(books: BooksOpened, *, has_templates: bool) -> list[StepDone]:
    """Every step in order, with the first that is open as the one to do next (pure).

    Args:
        has_templates: whether what owners are owed may be told them.
    """
    done = {
        Step.HOMES: books.has_homes,
        Step.TARIFFS: books.has_tariffs,
        Step.METERS: books.is_metered and not books.unmetered,
        Step.MERCHANT: books.has_merchant,
        Step.BANK_ACCOUNT: books.has_bank_account,
        Step.TEMPLATES: has_templates,
        Step.STAFF: books.has_manager and not books.unsafe,
        Step.CODES: books.has_codes,
        Step.DRAFT: books.has_draft,
        Step.PUBLISHED: books.has_published,
    }
    steps, is_next_known = [], False
    for step in Step:
        state = _state(step, books, done)
        if state is StepState.LATER and not is_next_known:
            state, is_next_known = StepState.NEXT, True
        steps.append(StepDone(step, state))
    return steps


def _state(step: Step, books: BooksOpened, done: dict[Step, bool]) -> StepState:
    if step not in done:
        return StepState.UNKNOWN
    if done[step]:
        return StepState.DONE
    if step is Step.METERS and not books.is_metered:
        # Before there is a tariff nobody knows whether anything is charged by usage.
        return StepState.UNNEEDED if books.has_tariffs else StepState.LATER
    return StepState.OPTIONAL if step in OPTIONAL else StepState.LATER
