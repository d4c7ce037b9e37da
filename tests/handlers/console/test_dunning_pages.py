"""催缴 in the console: letters printed and opened as they were kept, calls, deliveries, tags."""

import re
from collections.abc import Callable

import pytest
from sqlalchemy import select

from billing.audit import AuditEntry
from billing.dunning_tables import Dunning, DunningWay, LetterService, ServiceWay
from billing.home_tags import tags_of
from billing.people import StaffRole
from billing.sightings import Sight, Sighting
from bot.program import Program
from tests.conftest import TODAY, World
from tests.handlers.console.conftest import Clerk

MakeClerk = Callable[..., Clerk]
LI, ZHANG = "1-1-302", "3-2-501"


@pytest.fixture
def home(world: World) -> int:
    """李建国's, three months behind."""
    return world.unit(LI).id


def made(program: Program) -> list[Dunning]:
    with program.services.database.transaction() as session:
        return list(session.scalars(select(Dunning).order_by(Dunning.id)))


def test_a_letter_is_printed_kept_and_opened_as_it_was(
    clerk: MakeClerk, home: int, program: Program
) -> None:
    desk = clerk(StaffRole.CASHIER)
    assert "现在可以催缴" in desk.get(f"/HY/homes/{home}/dunning").text
    answer = desk.post(f"/HY/homes/{home}/dunning", days="20")
    assert answer.status_code == 303
    [letter] = made(program)
    page = desk.get(f"/HY/letters/{letter.id}").text
    assert "HY-2026-0001" in page
    assert "未登记送达" in page
    assert "李建国" not in page
    opened = desk.post("/HY/letters/papers", letter=letter.id)
    assert "李建国" in opened.text
    assert "送达回执（编号 HY-2026-0001）" in opened.text
    assert "<style" not in opened.text
    style = desk.get(f"/HY/letters/{letter.id}/style")
    assert style.mimetype == "text/css"
    assert "size: A4" in style.text
    kept = program.services.vault.open(str(letter.paper_sealed))
    body = re.search("<body>(.*)</body>", kept, re.DOTALL)
    assert body is not None
    assert body[1] in opened.text
    with program.services.database.transaction() as session:
        seen = session.scalars(select(Sighting.staff_id)).all()
        assert desk.staff_id in seen
        actions = session.scalars(select(AuditEntry.action)).all()
        assert "letters_papers" in actions


def test_the_same_form_sent_twice_prints_one_letter(
    clerk: MakeClerk, home: int, program: Program
) -> None:
    desk = clerk(StaffRole.CASHIER)
    page = desk.get(f"/HY/homes/{home}/dunning").text
    seen = re.search(r'name="seen" value="(\d+)"', page)
    assert seen is not None
    assert desk.post(f"/HY/homes/{home}/dunning", days="20", seen=seen[1]).status_code == 303
    again = desk.post(f"/HY/homes/{home}/dunning", days="20", seen=seen[1])
    assert again.status_code == 422
    assert "刚刚已给这户打印过催缴函" in again.text
    assert len(made(program)) == 1
    latest = re.search(r'name="seen" value="(\d+)"', again.text)
    assert latest is not None
    assert desk.post(f"/HY/homes/{home}/dunning", days="20", seen=latest[1]).status_code == 303


def test_who_may_only_look_does_not_read_what_was_said(
    clerk: MakeClerk, home: int, program: Program
) -> None:
    desk = clerk(StaffRole.SERVICE)
    desk.post(f"/HY/homes/{home}/dunning", days="20", seen="0")
    [letter] = made(program)
    noted = "王小明代签 13900005678"
    fields = {"how": "signed", "on": TODAY.isoformat(), "person_note": noted}
    assert desk.post(f"/HY/letters/{letter.id}/delivered", **fields).status_code == 303
    said = {"how": "phone", "on": TODAY.isoformat(), "person_note": "说月底缴，13800001234"}
    assert desk.post(f"/HY/homes/{home}/dunning/call", **said).status_code == 303
    assert noted in desk.get(f"/HY/letters/{letter.id}").text
    reader = clerk(StaffRole.READER)
    for path in (f"/HY/letters/{letter.id}", f"/HY/homes/{home}/dunning"):
        shown = reader.get(path)
        assert shown.status_code == 200
        assert "13900005678" not in shown.text
        assert "13800001234" not in shown.text
    desk.post("/HY/letters/papers", letter=letter.id)
    with program.services.database.transaction() as session:
        seen = session.scalars(select(Sighting.what).where(Sighting.unit_id == home)).all()
    assert Sight.PERSONAL in seen


def test_too_few_days_and_a_home_that_owes_nothing_are_refused_in_words(
    clerk: MakeClerk, home: int, program: Program, world: World
) -> None:
    desk = clerk(StaffRole.MANAGER)
    early = desk.post(f"/HY/homes/{home}/dunning", days="3")
    assert early.status_code == 422
    assert "缴费期限须为 7 到 90 天" in early.text
    paid = desk.post(f"/HY/homes/{world.unit(ZHANG).id}/dunning", days="15")
    assert paid.status_code == 422
    assert "没有可以催缴的" in paid.text
    assert made(program) == []


def test_a_call_and_a_delivery_are_kept_and_what_was_said_is_not_logged(
    clerk: MakeClerk, home: int, program: Program
) -> None:
    desk = clerk(StaffRole.SERVICE)
    said = {"how": "phone", "on": TODAY.isoformat(), "person_note": "李先生说月底缴，13800001234"}
    assert desk.post(f"/HY/homes/{home}/dunning/call", **said).status_code == 303
    assert "李先生说月底缴" in desk.get(f"/HY/homes/{home}/dunning").text
    empty = desk.post(f"/HY/homes/{home}/dunning/call", **{**said, "person_note": ""})
    assert empty.status_code == 422
    desk.post(f"/HY/homes/{home}/dunning", days="15")
    letter = made(program)[-1]
    wrong = {"how": "posted", "on": TODAY.isoformat(), "tracking": "", "person_note": "门卫代收"}
    refused = desk.post(f"/HY/letters/{letter.id}/delivered", **wrong)
    assert refused.status_code == 422
    assert "邮寄送达须填单号" in refused.text
    assert "门卫代收" in refused.text  # nothing typed is lost
    right = {**wrong, "tracking": "EMS123456"}
    assert desk.post(f"/HY/letters/{letter.id}/delivered", **right).status_code == 303
    with program.services.database.transaction() as session:
        [service] = session.scalars(select(LetterService))
        assert (service.way, service.tracking_number) == (ServiceWay.POSTED, "EMS123456")
        logged = " ".join(str(one) for one in session.scalars(select(AuditEntry.detail)))
    assert "李先生" not in logged
    assert "EMS123456" in logged
    assert [one.way for one in made(program)] == [DunningWay.PHONE, DunningWay.LETTER]


def test_many_homes_get_their_letters_at_once_and_none_twice_a_day(
    clerk: MakeClerk, home: int, program: Program, world: World
) -> None:
    desk = clerk(StaffRole.ACCOUNTANT)
    page = desk.get("/HY/reports/arrears").text
    assert "打印勾选的" in page
    assert f'value="{home}"' in page
    ticked = {"unit": [home, world.unit(ZHANG).id, "x"], "which": "ticked", "days": "15"}
    answer = desk.post("/HY/letters", **ticked)
    assert answer.status_code == 303
    after = desk.get(answer.location.removeprefix("/console")).text
    assert "另有 1 户没有打印" in after
    [letter] = made(program)
    again = desk.post("/HY/letters", **ticked)
    assert again.status_code == 422
    assert "今天都已经打印过" in again.text
    most = desk.post("/HY/letters", which="most", count="3", days="15", age="")
    first = desk.get(most.location.removeprefix("/console")).text
    assert len(made(program)) == 4
    others = desk.post("/HY/letters", which="most", count="1", days="15", age="")
    assert others.status_code == (303 if len(made(program)) == 5 else 422)
    homes = [one.unit_id for one in made(program)]
    assert len(homes) == len(set(homes))
    ids = [one.id for one in made(program)]
    opened = desk.post("/HY/letters/papers", letter=ids).text
    assert opened.count('<article class="letter">') == len(ids)
    assert f"HY-2026-{len(ids):04}" in first
    assert letter.id == ids[0]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"which": "ticked", "days": "15"}, "请先勾选房屋"),
        ({"which": "most", "count": "201", "days": "15"}, None),
        ({"which": "most", "count": "x", "days": "15"}, "请填写数字"),
        ({"which": "ticked", "days": "2", "unit": "1"}, "缴费期限须为"),
    ],
)
def test_what_cannot_be_printed_is_said(
    clerk: MakeClerk, program: Program, fields: dict[str, str], why: str | None
) -> None:
    answer = clerk(StaffRole.MANAGER).post("/HY/letters", **fields)
    if why is not None:  # of 201 homes there are fewer here
        assert answer.status_code == 422
        assert why in answer.text
        assert made(program) == []


def test_letters_of_another_community_are_nobodys(
    clerk: MakeClerk, home: int, program: Program
) -> None:
    desk = clerk(StaffRole.MANAGER)
    desk.post(f"/HY/homes/{home}/dunning", days="15")
    assert "HY-2026-0001" in desk.get("/HY/letters?waiting=1").text
    assert "HY-2026-0001" not in desk.get("/HY/letters?on=2026-01-01").text
    assert desk.post("/HY/letters/papers", letter="999999").status_code == 404
    assert desk.get("/HY/letters/999999").status_code == 404
    assert desk.get("/HY/letters/batch").status_code == 404
    assert clerk(StaffRole.READER).post("/HY/letters/papers", letter="1").status_code == 403


def test_tags_are_shown_added_and_taken_off(
    clerk: MakeClerk, home: int, program: Program, world: World
) -> None:
    desk = clerk(StaffRole.ACCOUNTANT)
    assert desk.post(f"/HY/homes/{home}/tags", tag="独居老人").status_code == 303
    refused = desk.post(f"/HY/homes/{home}/tags", tag="a b")
    assert refused.status_code == 422
    assert "2 到 12 个字的一个词" in refused.text
    assert "独居老人" in clerk(StaffRole.READER).get(f"/HY/homes/{home}").text
    assert desk.post(f"/HY/homes/{home}/tags/remove", tag="独居老人").status_code == 303
    with program.services.database.transaction() as session:
        assert tags_of(session, world.community.id, home) == []
