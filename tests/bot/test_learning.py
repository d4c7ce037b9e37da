"""What was not understood, asked back about or corrected is kept: masked, and of nobody."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from billing.errors import NotFound
from billing.people import get_staff
from handlers.heard import (
    KEPT,
    Heard,
    HeardReason,
    forget_heard,
    label_heard,
    list_heard,
    report_heard,
)
from tests.phone import Phone
from tests.town import Town

UNCLEAR = "钱的事"


@pytest.fixture
def zhang(town: Town) -> Phone:
    return town.owner("3-2-501")


def heard(town: Town) -> list[Heard]:
    with town.world.database.transaction() as session:
        return list(session.scalars(select(Heard).order_by(Heard.id)))


def kept(town: Town) -> list[tuple[str, HeardReason]]:
    return [(one.masked, one.reason) for one in heard(town)]


def test_what_is_not_understood_is_kept_masked(town: Town, zhang: Phone) -> None:
    zhang.says("今天天气真好啊，我叫张伟，住3-2-501，手机13800001234").shows("答不上来")
    [one] = heard(town)
    assert one.masked == "今天天气真好啊，我叫【姓名】，住【房号】，手机【电话】"
    assert (one.reason, one.guessed, one.is_staff) == (HeardReason.NOT_UNDERSTOOD, "other", False)
    assert 0 < one.confidence <= 1
    assert "room" not in one.slots


def test_it_says_nothing_of_who_said_it() -> None:
    assert not [name for name in Heard.__table__.columns.keys() if "follower" in name]  # noqa: SIM118


def test_what_was_asked_back_about_is_kept_once_whatever_is_answered(
    town: Town, zhang: Phone
) -> None:
    zhang.says(UNCLEAR).shows("您是想问")
    zhang.says("是的").hides("您是想问")
    assert kept(town) == [(UNCLEAR, HeardReason.ASKED_BACK)]
    zhang.says(UNCLEAR).shows("您是想问")
    zhang.says("不是").shows("理解错了")
    assert kept(town)[1:] == [(UNCLEAR, HeardReason.CORRECTED)]


def test_an_answer_that_missed_the_point_is_kept_when_he_says_so(town: Town, zhang: Phone) -> None:
    zhang.says("这个月要交多少钱来着").shows("待缴")
    assert kept(town) == []
    zhang.says("你理解错了！").shows("理解错了")
    assert kept(town) == [("这个月要交多少钱来着", HeardReason.CORRECTED)]
    [one] = heard(town)
    assert (one.guessed, one.answered) == ("bills.due", "bills.due")
    zhang.says("理解错了").shows("理解错了")
    assert len(kept(town)) == 1, "it is said of nothing new"


def test_commands_and_answers_are_no_guesses(town: Town, zhang: Phone) -> None:
    zhang.says("账单").shows("待缴")
    zhang.says("不是这个意思")
    zhang.says("解绑").shows("确认解绑")
    zhang.says("不是").hides("理解错了")
    assert HeardReason.CORRECTED not in [reason for _, reason in kept(town)]


def test_it_is_forgotten_after_ninety_days(town: Town, zhang: Phone) -> None:
    zhang.says(UNCLEAR)
    with town.world.database.transaction() as session:
        assert forget_heard(session, town.now + KEPT - timedelta(seconds=1)) == 0
        assert forget_heard(session, town.now + KEPT) == 1
        assert forget_heard(session, town.now + KEPT) == 0


def test_labels_make_a_confusion_table(town: Town, zhang: Phone) -> None:
    for sentence in ("狗丢了怎么办", UNCLEAR, "楼下快递柜在哪里"):
        zhang.says(sentence)
    with town.world.database.transaction() as session:
        by = get_staff(session, "liu")
        lost, unclear, box = (one.id for one in heard(town))
        label_heard(session, lost, "human", by=by, now=town.now)
        label_heard(session, unclear, "bills.due", by=by, now=town.now)
        label_heard(session, box, "other", by=by, now=town.now)
        guessed = session.get_one(Heard, unclear).guessed
        report = report_heard(session)
        assert [one.id for one in list_heard(session, is_labelled=False)] == []
        with pytest.raises(NotFound, match="kept for 90 days"):
            label_heard(session, 999, "other", by=by, now=town.now)
    right = int(guessed == "bills.due")
    assert report == {
        "heard": 3,
        "reasons": {"asked_back": 1, "not_understood": 2},
        "labelled": 3,
        "confusion": {"bills.due": {guessed: 1}, "human": {"other": 1}, "other": {"other": 1}},
        "accuracy": {
            "bills.due": {"right": right, "of": 1, "share": float(right)},
            "human": {"right": 0, "of": 1, "share": 0.0},
            "other": {"right": 1, "of": 1, "share": 1.0},
        },
    }
