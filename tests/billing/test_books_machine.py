"""Whatever people do to the books, in whatever order, and wherever the program dies: every check
holds after every step.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Select, select, text
from sqlalchemy.orm import Session

from billing.adjustment_tables import Adjustment, AdjustmentKind, AdjustmentState, AfterVoid
from billing.adjustments import (
    approve_adjustment,
    refuse_adjustment,
    request_adjustment,
    reverse_adjustment,
)
from billing.bill_run import run_bills
from billing.bills import Bill, BillLine, LineKind, list_unpaid
from billing.bindings import see_follower
from billing.business_day import BEIJING
from billing.channels.base import ProviderAnswer, ProviderState, RefundAnswer, RefundState
from billing.checks import run_checks
from billing.closing import close_period, trial_balance
from billing.confirmation import confirm
from billing.counter_tables import CounterPayment
from billing.day_close import close_day
from billing.db import Database
from billing.deduction import deduct_home
from billing.deposits import return_deposit, take_deposit
from billing.errors import BillingError
from billing.fapiao import issue_fapiao, list_uninvoiced, reject_fapiao, request_fapiao
from billing.fapiao_papers import FapiaoTitle
from billing.fapiao_tables import Fapiao, FapiaoState, TitleKind
from billing.late_fee_bills import issue_late_fees
from billing.late_fee_policy import freeze, set_policy
from billing.late_fee_tables import LateFeeCap
from billing.merchants import MerchantAccount
from billing.money import ZERO, Money
from billing.payment_tables import Payment, PaymentChannel
from billing.payments import new_out_trade_no, prepare
from billing.people import Occupancy, Staff, get_staff
from billing.period import Period
from billing.prepayments import set_auto_deduction
from billing.property import Unit
from billing.receipts import number_waiting
from billing.refund_outcomes import pay_out_refund, record_answer, reject_refund
from billing.refund_tables import Refund, RefundStage
from billing.refunds import approve_refund, get_refund, new_out_refund_no, request_refund
from billing.shares import split_bill
from billing.shifts import close_shift
from billing.voids import void_bill
from tests.billing.drawer import cancel, shift_of, take
from tests.billing.test_run_crashes import Killed, Mortal
from tests.conftest import SOAK, World, make_vault

OPENID = "oMachine"
anything = st.integers(min_value=0, max_value=10**6)
"""Which of what there is, and how much of it: reduced by what is there."""


@dataclass
class Offered:
    """A payment that the payer may still make."""

    payment: Payment
    answers: list[ProviderAnswer] = field(default_factory=list)


class Books(RuleBasedStateMachine):
    """Everything that can be done to the books of one community."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.today = world.today
        self.offered: list[Offered] = []
        self.deposits: list[str] = []
        self.numbers = 0
        self.vault = make_vault()

    @property
    def now(self) -> datetime:
        """Ten in the morning of the machine's day."""
        return datetime(self.today.year, self.today.month, self.today.day, 10, tzinfo=BEIJING)

    @property
    def here(self) -> int:
        """The community."""
        return self.world.community.id

    def attempt(self, act: Callable[[Session], object]) -> None:
        """Do something in a transaction; the books may refuse it, with a sentence."""
        try:
            with self.world.database.transaction() as session:
                act(session)
        except BillingError as refusal:
            assert str(refusal)  # noqa: PT017  # a refusal is an outcome here, and says why

    def pick(self, session: Session, query: Select[tuple[int]], which: int) -> int | None:
        ids = session.scalars(query).all()
        return ids[which % len(ids)] if ids else None

    def home(self, session: Session, which: int) -> int:
        found = self.pick(session, select(Unit.id).order_by(Unit.id), which)
        assert found is not None
        return found

    def bill(self, session: Session, which: int) -> int | None:
        return self.pick(session, select(Bill.id).order_by(Bill.id.desc()).limit(60), which)

    def staff(self, session: Session, login: str) -> Staff:
        return get_staff(session, login)

    @initialize()
    def agree_on_late_fees(self) -> None:
        self.attempt(
            lambda session: set_policy(
                session,
                self.here,
                effective_from=date(2026, 1, 1),
                daily_rate=Decimal("0.0005"),
                grace_days=0,
                cap=LateFeeCap.PRINCIPAL,
                document="前期物业服务合同第九条",
            )
        )

    @rule(days=st.integers(min_value=1, max_value=40))
    def time_passes(self, days: int) -> None:
        self.today += timedelta(days=days)

    def run_on(self, database: Database, *, publish: bool) -> None:
        run_bills(
            database,
            self.world.community,
            Period.of(self.today),
            today=self.today,
            now=self.now,
            publish=publish,
        )

    @rule(publish=st.booleans())
    def bills_are_made(self, publish: bool) -> None:
        self.run_on(self.world.database, publish=publish)

    @rule(commit=st.integers(min_value=1, max_value=8), committed=st.booleans())
    def the_program_dies_while_making_bills(self, commit: int, committed: bool) -> None:
        mortal = Mortal(self.world.database.engine, commit, committed=committed)
        try:
            self.run_on(mortal, publish=True)
        except Killed:
            assert mortal.died

    @rule(home=anything, bills=st.integers(min_value=1, max_value=3), part=anything)
    def a_payment_is_offered(self, home: int, bills: int, part: int) -> None:
        def act(session: Session) -> None:
            unit = self.home(session, home)
            owed = list_unpaid(session, self.here, [unit])[:bills]
            wishes = {bill.id: bill.outstanding for bill in owed}
            if owed:
                last = owed[-1]
                wishes[last.id] = Money(1 + part % last.outstanding.fen)
            payment = prepare(
                session,
                community_id=self.here,
                unit_id=unit,
                channel=PaymentChannel.WECHAT_JSAPI,
                merchant_id=self.world.merchant_id,
                payer_id=see_follower(session, OPENID, self.now).id,
                designated=wishes,
                out_trade_no=new_out_trade_no(),
                now=self.now,
            )
            self.offered.append(Offered(payment))

        self.attempt(act)

    @rule(which=anything, wrong=st.integers(min_value=0, max_value=9))
    def the_provider_says_it_was_paid(self, which: int, wrong: int) -> None:
        if not self.offered:
            return
        payment = self.offered[which % len(self.offered)].payment

        def act(session: Session) -> None:
            merchant = session.scalars(select(MerchantAccount)).one()
            answer = ProviderAnswer(
                mchid=merchant.mchid,
                out_trade_no=payment.out_trade_no,
                state=ProviderState.PAID,
                transaction_id=f"42{payment.out_trade_no[2:]}",
                amount=payment.amount + Money(1) if wrong == 0 else payment.amount,
                payer=OPENID,
                paid_at=self.now - timedelta(days=wrong),
            )
            confirm(session, merchant, answer, self.now)

        self.attempt(act)

    @rule(home=anything, fen=st.integers(min_value=1, max_value=200_000), bill=st.booleans())
    def money_is_taken_at_the_counter(self, home: int, fen: int, bill: bool) -> None:
        self.numbers += 1

        def act(session: Session) -> None:
            unit = session.get_one(Unit, (self.here, self.home(session, home)))
            owed = list_unpaid(session, self.here, [unit.id])[:1] if bill else []
            wishes = {one.id: min(one.outstanding, Money(fen)) for one in owed}
            number = f"SJ{self.numbers}"
            take(
                session,
                self.world,
                unit.room,
                Money(fen).yuan,
                number,
                designated=wishes if bill else None,
                now=self.now,
            )

        self.attempt(act)

    @rule(which=anything)
    def a_payment_is_cancelled(self, which: int) -> None:
        def act(session: Session) -> None:
            found = self.pick(
                session,
                select(CounterPayment.payment_id).order_by(CounterPayment.payment_id),
                which,
            )
            if found is not None:
                cancel(session, session.get_one(Payment, (self.here, found)), now=self.now)

        self.attempt(act)

    @rule(fen=st.integers(min_value=0, max_value=300_000))
    def a_shift_is_closed(self, fen: int) -> None:
        def act(session: Session) -> None:
            shift = shift_of(session, self.world, now=self.now)
            close_shift(
                session,
                self.here,
                shift.id,
                counted=Money(fen),
                reason="清点",
                by=self.staff(session, "zhou"),
                now=self.now,
            )

        self.attempt(act)

    @rule()
    def a_day_is_closed(self) -> None:
        def act(session: Session) -> None:
            number_waiting(session, self.now, limit=1000)
            by = self.staff(session, "chen")
            close_day(session, self.here, self.today, by=by, now=self.now)

        self.attempt(act)

    @rule(home=anything, which=anything)
    def a_fapiao_is_asked_for(self, home: int, which: int) -> None:
        def act(session: Session) -> None:
            unit_id = self.home(session, home)
            found = list_uninvoiced(session, self.here, unit_id)
            if found:
                request_fapiao(
                    session,
                    self.vault,
                    community_id=self.here,
                    unit_id=unit_id,
                    payment_ids=[found[which % len(found)].payment.id],
                    title=FapiaoTitle(TitleKind.PERSONAL, "张秀英"),
                    follower_id=see_follower(session, OPENID, self.now).id,
                    now=self.now,
                )

        self.attempt(act)

    @rule(which=anything, rejected=st.booleans())
    def a_fapiao_is_decided(self, which: int, rejected: bool) -> None:
        def act(session: Session) -> None:
            asked = select(Fapiao.id).where(Fapiao.state == FapiaoState.REQUESTED)
            found = self.pick(session, asked.order_by(Fapiao.id), which)
            if found is None:
                return
            by = self.staff(session, "chen")
            if rejected:
                reject_fapiao(session, self.here, found, reason="抬头有误", by=by, now=self.now)
            else:
                number = f"{found:020d}"
                issue_fapiao(
                    session, self.here, found, number=number, content=None, by=by, now=self.now
                )

        self.attempt(act)

    @rule(which=anything, fen=anything, release=st.booleans())
    def money_is_asked_back(self, which: int, fen: int, release: bool) -> None:
        def act(session: Session) -> None:
            came = select(Payment.id).order_by(Payment.id.desc()).limit(20)
            found = self.pick(session, came, which)
            assert found is not None
            amount = session.get_one(Payment, (self.here, found)).amount
            request_refund(
                session,
                self.here,
                found,
                Money(1 + fen % amount.fen) if fen % 3 else amount,
                reason="重复缴费",
                release_bills=release,
                by=self.staff(session, "liu"),
                now=self.now,
                out_refund_no=new_out_refund_no(),
            )

        self.attempt(act)

    def refund(self, session: Session, stages: Sequence[RefundStage], which: int) -> int | None:
        query = select(Refund.id).where(Refund.state.in_(stages)).order_by(Refund.id)
        return self.pick(session, query, which)

    @rule(which=anything, login=st.sampled_from(["zhao", "chen"]), approve=st.integers(0, 4))
    def a_refund_is_decided(self, which: int, login: str, approve: int) -> None:
        def act(session: Session) -> None:
            waiting = (RefundStage.REQUESTED, RefundStage.APPROVED)
            found = self.refund(session, waiting[: 1 + (approve == 0)], which)
            if found is None:
                return
            by = self.staff(session, login)
            if approve:
                approve_refund(session, self.here, found, by=by, today=self.today, now=self.now)
            else:
                reject_refund(session, self.here, found, by=by, reason="已协商", now=self.now)

        self.attempt(act)

    @rule(
        which=anything,
        said=st.lists(st.sampled_from(list(RefundState)), min_size=1, max_size=3),
        wrong=st.integers(min_value=0, max_value=9),
    )
    def the_provider_speaks_of_a_refund(
        self, which: int, said: Sequence[RefundState], wrong: int
    ) -> None:
        def act(session: Session) -> None:
            found = self.refund(session, list(RefundStage), which)
            if found is None:
                return
            refund = get_refund(session, self.here, found)
            payment = session.get_one(Payment, (self.here, refund.payment_id))
            merchant = session.scalars(select(MerchantAccount)).one()
            for state in said:
                answer = RefundAnswer(
                    mchid=merchant.mchid,
                    out_trade_no=payment.out_trade_no,
                    out_refund_no=refund.out_refund_no,
                    state=state,
                    amount=refund.amount + Money(1) if wrong == 0 else refund.amount,
                    at=self.now - timedelta(days=wrong),
                )
                record_answer(session, merchant, answer, self.now)

        self.attempt(act)

    @rule(which=anything)
    def a_refund_is_paid_out(self, which: int) -> None:
        def act(session: Session) -> None:
            found = self.refund(session, [RefundStage.APPROVED], which)
            if found is not None:
                by = self.staff(session, "chen")
                pay_out_refund(session, self.here, found, by=by, reference="TK", now=self.now)

        self.attempt(act)

    @rule(home=anything, items=st.sets(st.sampled_from(["property", "garbage", "parking"])))
    def a_home_chooses_what_its_prepayment_pays(self, home: int, items: set[str]) -> None:
        self.attempt(
            lambda session: set_auto_deduction(
                session, self.here, self.home(session, home), sorted(items)
            )
        )

    @rule(home=anything)
    def a_prepayment_is_used_for_old_bills(self, home: int) -> None:
        self.attempt(
            lambda session: deduct_home(session, self.here, self.home(session, home), now=self.now)
        )

    @rule(line=anything, kind=st.sampled_from(list(AdjustmentKind)), fen=anything, up=st.booleans())
    def a_change_is_asked_for(self, line: int, kind: AdjustmentKind, fen: int, up: bool) -> None:
        def act(session: Session) -> None:
            lines = select(BillLine.id).where(BillLine.kind != LineKind.DISCOUNT)
            found = self.pick(session, lines.order_by(BillLine.id.desc()).limit(100), line)
            if found is None:
                return
            amount = session.get_one(BillLine, (self.here, found)).amount
            part = Money(1 + fen % max(amount.fen, 1))
            request_adjustment(
                session,
                self.here,
                found,
                kind=kind,
                amount=part if up else -part,
                reason="核对后更正",
                by=self.staff(session, "liu"),
                now=self.now,
            )

        self.attempt(act)

    @rule(which=anything, approve=st.booleans())
    def a_change_is_decided(self, which: int, approve: bool) -> None:
        def act(session: Session) -> None:
            asked = select(Adjustment.id).where(Adjustment.state == AdjustmentState.REQUESTED)
            found = self.pick(session, asked.order_by(Adjustment.id), which)
            if found is None:
                return
            by = self.staff(session, "zhao")
            if approve:
                approve_adjustment(session, self.here, found, by=by, today=self.today, now=self.now)
            else:
                refuse_adjustment(session, self.here, found, by=by, now=self.now)

        self.attempt(act)

    @rule(which=anything)
    def a_change_is_taken_back(self, which: int) -> None:
        def act(session: Session) -> None:
            done = select(Adjustment.id).where(Adjustment.state == AdjustmentState.APPROVED)
            found = self.pick(session, done.order_by(Adjustment.id), which)
            if found is not None:
                reverse_adjustment(
                    session,
                    self.here,
                    found,
                    reason="误批",
                    by=self.staff(session, "liu"),
                    now=self.now,
                )

        self.attempt(act)

    @rule(which=anything, after=st.sampled_from(list(AfterVoid)))
    def a_bill_is_voided(self, which: int, after: AfterVoid) -> None:
        def act(session: Session) -> None:
            found = self.bill(session, which)
            if found is not None:
                void_bill(
                    session,
                    self.here,
                    found,
                    after=after,
                    reason="面积有误",
                    by=self.staff(session, "chen"),
                    today=self.today,
                    now=self.now,
                )

        self.attempt(act)

    @rule(home=anything)
    def late_fees_are_charged(self, home: int) -> None:
        self.attempt(
            lambda session: issue_late_fees(
                session,
                self.world.community,
                self.home(session, home),
                today=self.today,
                now=self.now,
            )
        )

    @rule(home=anything, days=st.integers(min_value=1, max_value=30))
    def late_fees_are_frozen(self, home: int, days: int) -> None:
        self.attempt(
            lambda session: freeze(
                session,
                self.here,
                self.home(session, home),
                from_on=self.today,
                to_on=self.today + timedelta(days=days),
                reason="争议处理中",
                by=self.staff(session, "zhao").id,
                now=self.now,
            )
        )

    @rule()
    def a_month_is_closed(self) -> None:
        def act(session: Session) -> None:
            first = session.scalar(text("SELECT min(effective_on) FROM journal_entry"))
            closed = session.scalar(text("SELECT max(period) FROM period_close"))
            period = Period(closed).next() if closed else Period.of(first)
            close_period(session, self.here, period, by=self.staff(session, "chen"), now=self.now)

        self.attempt(act)

    @rule(home=anything, fen=st.integers(min_value=1, max_value=300_000))
    def a_deposit_is_taken(self, home: int, fen: int) -> None:
        self.deposits.append(f"YJ{len(self.deposits)}")
        self.attempt(
            lambda session: take_deposit(
                session,
                community_id=self.here,
                unit_id=self.home(session, home),
                number=self.deposits[-1],
                purpose="装修押金",
                amount=Money(fen),
                by=self.staff(session, "zhou").id,
                on=self.today,
                now=self.now,
            )
        )

    @rule(which=anything, fen=st.integers(min_value=1, max_value=300_000))
    def a_deposit_is_returned(self, which: int, fen: int) -> None:
        if not self.deposits:
            return
        self.attempt(
            lambda session: return_deposit(
                session,
                self.here,
                self.deposits[which % len(self.deposits)],
                Money(fen),
                reason="验收合格",
                by=self.staff(session, "zhou").id,
                on=self.today,
                now=self.now,
            )
        )

    @rule(
        which=anything,
        weights=st.lists(st.integers(min_value=1, max_value=9), min_size=2, max_size=3),
    )
    def a_bill_is_split(self, which: int, weights: Sequence[int]) -> None:
        def act(session: Session) -> None:
            found = self.bill(session, which)
            people = session.scalars(
                select(Occupancy.resident_id).order_by(Occupancy.id).limit(len(weights))
            ).all()
            if found is not None:
                split_bill(
                    session,
                    self.here,
                    found,
                    dict(zip(people, map(Decimal, weights), strict=True)),
                    by=self.staff(session, "chen").id,
                    now=self.now,
                )

        self.attempt(act)

    @invariant()
    def every_check_holds(self) -> None:
        with self.world.database.transaction() as session:
            wrong = {r.name: r.violations for r in run_checks(session) if r.violations}
        assert wrong == {}

    @invariant()
    def the_trial_balance_is_balanced(self) -> None:
        with self.world.database.transaction() as session:
            rows = trial_balance(session, self.here, None)
        assert sum((row.debit for row in rows), ZERO) == sum((row.credit for row in rows), ZERO)


def test_every_check_holds_whatever_is_done(make_world: Callable[[], World]) -> None:
    run_state_machine_as_test(
        lambda: Books(make_world()),
        settings=settings(
            max_examples=60 if SOAK else 2,
            stateful_step_count=40 if SOAK else 25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
