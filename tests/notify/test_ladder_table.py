"""The ladder as a calendar: who is told what on which day, over a winter, by the true walk.

Every day of the calendar is lived: at 09:05 the walk climbs the ladder and the workers send; in the
course of the day happens what the table says, and the workers send again. Days that are not in the
table are lived too, and nobody may hear anything on them.

`B300` a bill of 300 yuan is announced, `S300` so much is soon due, `O300` it is overdue, `R100` a
payment of 100 yuan was received, `A` a ticket was answered. Bills are due on 10 December; that of
`outage` on the 13th, of `holiday` on the 31st. 1 to 3 January and 5 to 11 February are holidays.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

import pytest
from sqlalchemy import select

from billing.adjustment_tables import AdjustmentKind
from billing.bill_lines import LineState, list_lines
from billing.bills import BillLine, list_unpaid
from billing.business_day import BEIJING, business_date
from billing.handovers import hand_over
from billing.money import ZERO
from billing.people import Follower, Occupancy, ResidentRole, get_staff
from billing.privacy import Vault
from billing.ticket_tables import Ticket, TicketKind
from billing.tickets import Matter, answer_ticket, open_ticket
from notify.catalog import NoticeKind
from notify.holidays import load_holidays
from notify.outbox import Message, MessageState
from tests.billing.paper import Line, adjust, pay, person, staff, write_bill
from tests.notify.conftest import Town

CALENDAR = """
day    happens         | nothing pays  part  waiver dispute holiday outage tariff seller buyer
12-01  first bills     | B300    B300  B300  B300   B300    B300    B300   B300   B300   -
12-03                  | S300    S300  S300  S300   S300    -       -      S300   S300   -
12-05  dispute         | -       -     -     -      -       -       -      -      -      -
12-06                  | -       -     -     -      -       -       S300   -      -      -
12-07                  | S300    S300  S300  S300   -       -       -      S300   S300   -
12-08  payments, sale  | -       R300  R100  -      -       -       -      -      -      -
12-09  first waiver    | -       -     -     -      -       -       -      -      -      -
12-10                  | S300    -     S200  S200   -       -       S300   S300   S300   -
12-11                  | O300    -     O200  O200   -       -       -      O300   O300   -
12-13  outage          | -       -     -     -      -       -       -      -      -      -
12-14  outage          | -       -     -     -      -       -       -      -      -      -
12-15  second waiver   | -       -     -     -      -       -       O300   -      -      -
12-17                  | O300    -     O200  -      -       -       -      O300   O300   -
12-18  answer          | -       -     -     -      A       -       -      -      -      -
12-19                  | -       -     -     -      O300    -       -      -      -      -
12-20                  | -       -     -     -      -       -       O300   -      -      -
12-24                  | -       -     -     -      -       S300    -      -      -      -
12-25                  | O300    -     O200  -      O300    -       -      O300   O300   -
12-28                  | -       -     -     -      -       S300    O300   -      -      -
12-31                  | -       -     -     -      -       S300    -      -      -      -
01-01  second bills    | -       -     -     -      -       -       -      B330   -      B120
01-04                  | -       -     -     -      -       O300    -      S330   -      S120
01-07                  | -       -     -     -      -       O300    -      S330   -      S120
01-09                  | O300    -     O200  -      O300    -       -      O300   O300   -
01-10                  | -       -     -     -      -       -       -      S330   -      S120
01-11                  | -       -     -     -      -       -       -      O330   -      O120
01-12                  | -       -     -     -      -       -       O300   -      -      -
01-15                  | -       -     -     -      -       O300    -      -      -      -
01-17                  | -       -     -     -      -       -       -      O330   -      O120
01-25                  | -       -     -     -      -       -       -      O330   -      O120
01-30                  | -       -     -     -      -       O300    -      -      -      -
02-12                  | O300    -     O200  -      O300    -       O300   O630   O300   O120
"""

HOLIDAYS = [date(2027, 1, day) for day in (1, 2, 3)] + [date(2027, 2, day) for day in range(5, 12)]
DUE = {"holiday": date(2026, 12, 31), "outage": date(2026, 12, 13)}
LETTERS = {
    NoticeKind.BILL_ISSUED: "B",
    NoticeKind.DUE_SOON: "S",
    NoticeKind.OVERDUE: "O",
    NoticeKind.PAYMENT_RECEIVED: "R",
    NoticeKind.TICKET_ANSWERED: "A",
}
DECEMBER = date(2026, 12, 1)


def day_of(said: str) -> date:
    """Of the winter: `12-03` is in 2026, `01-04` in 2027."""
    month, number = map(int, said.split("-"))
    return date(2026 if month == 12 else 2027, month, number)


@dataclass
class Winter:
    """Homes by the names of their columns, what they owe on the first bill, who reads."""

    town: Town
    vault: Vault
    rooms: dict[str, str] = field(default_factory=dict)
    readers: dict[int, str] = field(default_factory=dict)
    people: dict[str, Follower] = field(default_factory=dict)
    bills: dict[str, int] = field(default_factory=dict)

    @property
    def today(self) -> date:
        return business_date(self.town.clock.now)

    def move_in(self, columns: list[str]) -> None:
        """Every column but the buyer's is a home of its own, that owes nothing."""
        community_id = self.town.world.community.id
        with self.town.world.database.transaction() as session:
            load_holidays(session, dict.fromkeys(HOLIDAYS, "假日"))
            units = session.scalars(
                select(Occupancy.unit_id)
                .where(
                    Occupancy.community_id == community_id,
                    Occupancy.role == ResidentRole.OWNER,
                    Occupancy.to_on.is_(None),
                )
                .group_by(Occupancy.unit_id)
                .order_by(Occupancy.unit_id)
            ).all()
            owing = [list_unpaid(session, community_id, [unit_id]) for unit_id in units]
            homes = [column for column in columns if column != "buyer"]
            for column, bills in zip(homes, filter(None, owing), strict=False):
                self.rooms[column] = bills[0].room
                owed = sum((bill.outstanding for bill in bills), ZERO)
                pay(session, self.town.world, bills[0].room, owed.yuan, self.today)
        self.town.notifier.intake()  # receipts nobody is bound to hear of
        for column in homes:
            self.bind(column)
        self.rooms["buyer"] = self.rooms["seller"]

    def bind(self, column: str, sees_from: date | None = None) -> None:
        person = self.town.bind(self.rooms[column], column, sees_from=sees_from)
        self.readers[person.id] = column
        self.people[column] = person

    def live(self, day: date, happens: str) -> dict[str, str]:
        """A day; returns what each column was told."""
        self.town.clock.now = datetime.combine(day, time(9, 5), BEIJING)
        if happens == "outage":
            return {}
        self.town.remind(day)
        self.town.notifier.intake()
        if happens:
            self.town.clock.now = datetime.combine(day, time(10), BEIJING)
            for event in happens.split(", "):
                EVENTS[event](self)
            self.town.notifier.intake()
        return self.told(day)

    def told(self, day: date) -> dict[str, str]:
        begins = datetime.combine(day, time(), BEIJING)
        found: dict[str, list[str]] = {}
        with self.town.world.database.transaction() as session:
            for message in session.scalars(
                select(Message)
                .where(Message.first_sent_at >= begins, Message.state == MessageState.SENT)
                .order_by(Message.id)
            ):
                said = LETTERS[message.kind] + amount_of(message)
                found.setdefault(self.readers[message.follower_id], []).append(said)
        return {column: "+".join(said) for column, said in found.items()}

    def write(self, column: str, yuan: str, days: tuple[date, date], due: date) -> None:
        with self.town.world.database.transaction() as session:
            self.bills[column] = write_bill(
                session,
                self.town.world,
                self.rooms[column],
                [Line(yuan, days=days, source=7)],
                issued_on=self.today,
                due=due,
            )

    def line(self, column: str) -> LineState:
        with self.town.world.database.transaction() as session:
            community_id = self.town.world.community.id
            [line] = list_lines(session, community_id, [self.bills[column]])
            return line


def amount_of(message: Message) -> str:
    """In yuan: of what is owed, or of the payment."""
    if message.content["total_fen"] is not None:
        return str(message.content["total_fen"] // 100)
    paid = message.content["fields"].get("amount2", "")
    return str(paid.partition(".")[0])


# --- what happens -----------------------------------------------------------------------------


def issue_first(winter: Winter) -> None:
    for column in winter.people:
        due = DUE.get(column, date(2026, 12, 10))
        winter.write(column, "300.00", (date(2026, 11, 1), DECEMBER), due)


def issue_second(winter: Winter) -> None:
    """The tariff rose with the new year; the first bill stays as it was. The buyer owes from his
    first day on.
    """
    due = date(2027, 1, 10)
    winter.write("tariff", "330.00", (date(2027, 1, 1), date(2027, 2, 1)), due)
    winter.write("buyer", "120.00", (date(2026, 12, 8), date(2027, 1, 1)), due)


def dispute(winter: Winter) -> None:
    line, who = winter.line("dispute"), winter.people["dispute"]
    with winter.town.world.database.transaction() as session:
        unit = winter.town.world.unit(winter.rooms["dispute"])
        matter = Matter(unit.community_id, who.id, TicketKind.DISPUTE, unit.id, line)
        open_ticket(session, winter.vault, matter, "不对", winter.town.clock.now)


def answer(winter: Winter) -> None:
    with winter.town.world.database.transaction() as session:
        ticket = session.scalars(select(Ticket)).one()
        answer_ticket(
            session,
            ticket.community_id,
            ticket.id,
            answer="已核实，账单无误。",
            by=get_staff(session, "liu"),
            now=winter.town.clock.now,
        )


def take_payments(winter: Winter) -> None:
    for column, yuan in (("pays", "300.00"), ("part", "100.00")):
        with winter.town.world.database.transaction() as session:
            room, bill = winter.rooms[column], winter.bills[column]
            pay(session, winter.town.world, room, yuan, winter.today, bill)


def waive(winter: Winter, yuan: str) -> None:
    line = winter.line("waiver")
    with winter.town.world.database.transaction() as session:
        row = session.get_one(BillLine, (winter.town.world.community.id, line.id))
        adjust(session, row, yuan, AdjustmentKind.WAIVER, winter.today)


def sell(winter: Winter) -> None:
    """The seller keeps what is charged for his days; the buyer is bound the same day."""
    unit = winter.town.world.unit(winter.rooms["seller"])
    with winter.town.world.database.transaction() as session:
        hand_over(
            session,
            unit.community_id,
            unit.id,
            [person(session, winter.town.world)],
            on=winter.today,
            by=staff(session).id,
            now=winter.town.clock.now,
        )
    winter.bind("buyer", sees_from=winter.today)


EVENTS: dict[str, Callable[[Winter], None]] = {
    "first bills": issue_first,
    "second bills": issue_second,
    "dispute": dispute,
    "answer": answer,
    "payments": take_payments,
    "first waiver": lambda winter: waive(winter, "-100.00"),
    "second waiver": lambda winter: waive(winter, "-200.00"),
    "sale": sell,
}


def rows(calendar: str) -> tuple[list[str], list[tuple[date, str, list[str]]]]:
    """Columns, and of every row its day, what happens, and the cells."""
    head, *body = calendar.strip().splitlines()
    found = []
    for line in body:
        left, _, right = line.partition("|")
        day, _, happens = left.partition(" ")
        found.append((day_of(day), happens.strip(), right.split()))
    return head.partition("|")[2].split(), found


@pytest.fixture
def winter(town: Town, vault: Vault) -> Winter:
    return Winter(town, vault)


def test_a_winter_of_reminders(winter: Winter) -> None:
    columns, expected = rows(CALENDAR)
    winter.move_in(columns)
    wanted = {day: (happens, cells) for day, happens, cells in expected}
    assert len(wanted) == len(expected), "a day is named twice"
    first, last = expected[0][0], expected[-1][0]
    lived, meant = [], []
    for step in range((last - first).days + 1):
        day = first + timedelta(days=step)
        happens, cells = wanted.get(day, ("", ["-"] * len(columns)))
        told = winter.live(day, happens)
        lived.append((f"{day:%m-%d}", *(told.get(column, "-") for column in columns)))
        meant.append((f"{day:%m-%d}", *cells))
    assert lived == meant
    assert len(winter.town.wechat.shown) == sum(
        cell != "-" for _, _, cells in expected for cell in cells
    ), "everything that was sent was seen, once"
