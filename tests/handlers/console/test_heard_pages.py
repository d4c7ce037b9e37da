"""听不懂的话 in the console: labelled one after the other, by number or by name."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from billing.people import StaffRole
from bot.program import Program
from bot.understanding.phrasebook import BACKGROUND, intents
from handlers.console.heard import meanings
from handlers.heard import Heard, HeardReason
from tests.handlers.application import Clock
from tests.handlers.console.conftest import Clerk

MakeClerk = Callable[..., Clerk]
SENTENCES = ("多钱来着", "灯怎么不亮", "<i>喂</i>")


@pytest.fixture
def heard(program: Program, clock: Clock) -> list[int]:
    """Three sentences nobody labelled, the latest last."""
    with program.services.database.transaction() as session:
        found = [
            Heard(
                masked=masked,
                guessed="bills.due",
                confidence=Decimal("0.31"),
                slots={},
                is_staff=False,
                reason=HeardReason.ASKED_BACK,
                answered="message.unsure",
                at=clock.now,
            )
            for masked in SENTENCES
        ]
        session.add_all(found)
        session.flush()
        return [one.id for one in found]


def label_of(program: Program, number: int) -> str | None:
    with program.services.database.transaction() as session:
        return session.get_one(Heard, number).label


def test_every_intent_has_a_name_and_nothing_else_has() -> None:
    assert set(meanings()) == set(intents()) - {BACKGROUND}


def test_they_come_one_after_the_other_until_none_is_left(
    clerk: MakeClerk, heard: list[int], program: Program
) -> None:
    desk = clerk(StaffRole.SERVICE)
    page = desk.get("/HY/heard").text
    assert "还有 3 句没标" in page
    assert "&lt;i&gt;喂&lt;/i&gt;" in page
    assert "把握 31%" in page
    assert "反问确认" in page
    pay = list(meanings()).index("pay") + 1
    for number, said in zip(reversed(heard), (str(pay), "人工", "都不是"), strict=True):
        answer = desk.post(f"/HY/heard/{number}", typed=said, seen="")
        assert answer.status_code == 303
        page = desk.get(answer.headers["Location"].removeprefix("/console")).text
    assert [label_of(program, number) for number in heard] == ["other", "human", "pay"]
    assert "没有要标的句子" in page
    assert "已标 3 句" in page
    assert "账单（欠多少） 1 次" in page


def test_one_is_skipped_and_comes_again_in_the_next_round(
    clerk: MakeClerk, heard: list[int]
) -> None:
    desk = clerk(StaffRole.MANAGER)
    assert SENTENCES[1] in desk.get(f"/HY/heard?before={heard[2]}").text
    end = desk.get(f"/HY/heard?before={heard[0]}").text
    assert "跳过的还有 3 句" in end
    answer = desk.post(f"/HY/heard/{heard[1]}", intent="pay", seen="", before=str(heard[2]))
    assert answer.headers["Location"].endswith(f"?last={heard[1]}&before={heard[2]}")
    assert "从头再看" in end


@pytest.mark.parametrize(
    ("typed", "words"), [("", "请选一个意思"), ("99", "请选一个意思"), ("账单", "有几个意思都符合")]
)
def test_what_is_no_meaning_or_several_is_said(
    clerk: MakeClerk, heard: list[int], program: Program, typed: str, words: str
) -> None:
    answer = clerk(StaffRole.SERVICE).post(f"/HY/heard/{heard[0]}", typed=typed, seen="")
    assert answer.status_code == 422
    assert words in answer.text
    assert SENTENCES[0] in answer.text
    assert label_of(program, heard[0]) is None


def test_whoever_comes_second_is_told_and_may_still_change_it(
    clerk: MakeClerk, heard: list[int], program: Program
) -> None:
    desk = clerk(StaffRole.SERVICE)
    desk.post(f"/HY/heard/{heard[0]}", intent="pay", seen="")
    late = desk.post(f"/HY/heard/{heard[0]}", intent="help", seen="")
    assert late.status_code == 422
    assert "刚刚被别人标过" in late.text
    assert label_of(program, heard[0]) == "pay"
    assert "现在标为" in desk.get(f"/HY/heard?number={heard[0]}").text
    assert desk.post(f"/HY/heard/{heard[0]}", intent="help", seen="pay").status_code == 303
    assert label_of(program, heard[0]) == "help"


def test_nonsense_in_the_address_is_no_error(clerk: MakeClerk) -> None:
    desk = clerk(StaffRole.SERVICE)
    assert desk.get("/HY/heard?before=x&last=&number=-1").status_code == 200
    assert desk.get("/HY/heard?number=999999").status_code == 404
    assert desk.post("/HY/heard/999999", intent="pay", seen="").status_code == 404
    assert clerk(StaffRole.READER).get("/HY/heard").status_code == 403
