"""A line is disputed in the owner's own words; staff look into it and nobody presses for it."""

import pytest
from sqlalchemy import select

from billing.facts import Fact, FactKind
from billing.people import get_staff
from billing.tariffs import FeeKind
from billing.ticket_tables import Ticket, TicketKind, TicketState
from billing.tickets import answer_ticket, list_sentences
from bot.conversation import Conversations
from handlers.chat.context import Memory, Question, QuestionKind
from handlers.chat.topics import Topic
from tests.phone import Phone
from tests.town import Town

ZHANG, LI = "3-2-501", "1-1-302"


def tickets(town: Town) -> list[Ticket]:
    with town.world.database.transaction() as session:
        return list(session.scalars(select(Ticket).order_by(Ticket.id)))


def said(town: Town, ticket: Ticket) -> list[str]:
    """What staff may read of a ticket, unsealed."""
    with town.world.database.transaction() as session:
        return [town.vault.open(one.sealed) for one in list_sentences(session, ticket)]


@pytest.fixture
def zhang(town: Town) -> Phone:
    """张女士, who owes one bill of November."""
    return town.owner(ZHANG)


def test_one_line_opens_a_ticket_at_once(town: Town, zhang: Phone) -> None:
    heard = zhang.says("这个月的停车费收错了，我家没车")
    heard.shows("已记下您的异议", "2026年11月 车位管理费 120.00 元", "不再催缴", "010-5550 0100")
    [ticket] = tickets(town)
    assert (ticket.kind, ticket.fee, ticket.state) == (
        TicketKind.DISPUTE,
        FeeKind.PARKING,
        TicketState.OPEN,
    )
    assert ticket.unit_id == town.world.unit(ZHANG).id
    assert said(town, ticket) == ["这个月的停车费收错了，我家没车"]
    with town.world.database.transaction() as session:
        facts = session.scalars(select(Fact).where(Fact.kind == FactKind.TICKET_OPENED)).all()
        assert [fact.ref_id for fact in facts] == [ticket.id]


def test_of_several_lines_it_asks_which_and_keeps_what_was_said(town: Town, zhang: Phone) -> None:
    asked = zhang.says("你们乱收费，给我退了")
    asked.shows("哪一项不对", "1. 异议 2026年11月 物业费", "提交异议")
    assert tickets(town) == []
    zhang.says("2").shows("已记下您的异议", "生活垃圾处理费")
    [ticket] = tickets(town)
    assert ticket.fee is FeeKind.GARBAGE
    assert said(town, ticket) == ["你们乱收费，给我退了"]


def test_a_tapped_choice_is_the_line_itself(town: Town, zhang: Phone) -> None:
    offers = zhang.says("账单不对").offers
    [parking] = [offer for offer in offers if "车位" in offer]
    zhang.says(parking).shows("已记下", "车位管理费")
    assert [ticket.fee for ticket in tickets(town)] == [FeeKind.PARKING]


def test_the_line_may_be_named_afterwards(town: Town, zhang: Phone) -> None:
    zhang.says("收费不合理").shows("哪一项不对")
    zhang.says("垃圾费的").shows("已记下", "2026年11月 生活垃圾处理费")
    [ticket] = tickets(town)
    assert said(town, ticket) == ["收费不合理\n垃圾费的"]


def test_a_month_named_after_a_dispute_is_not_another_dispute(town: Town, zhang: Phone) -> None:
    zhang.says("垃圾费收错了").shows("已记下")
    zhang.says("那上个月呢").hides("异议")
    assert len(tickets(town)) == 1


def test_a_wrong_fee_after_a_look_at_it_is_a_dispute(town: Town, zhang: Phone) -> None:
    zhang.says("明细").shows("2026年11月账单")
    zhang.says("停车费不对啊").shows("已记下", "车位管理费")


def test_a_second_sentence_about_the_line_is_added(town: Town, zhang: Phone) -> None:
    zhang.says("停车费收错了").shows("已记下您的异议")
    zhang.says("停车费我不交，车早卖了").shows("正在核实", "补充")
    [ticket] = tickets(town)
    assert said(town, ticket) == ["停车费收错了", "停车费我不交，车早卖了"]


def test_both_owners_of_a_home_dispute_it_together(town: Town, zhang: Phone) -> None:
    zhang.says("停车费收错了").shows("已记下您的异议")
    town.owner(ZHANG, "o-spouse").says("我也觉得停车费收错了").shows("正在核实")
    [ticket] = tickets(town)
    with town.world.database.transaction() as session:
        answer_ticket(
            session,
            ticket.community_id,
            ticket.id,
            answer="已更正。",
            by=get_staff(session, "liu"),
            now=town.now,
        )
        told = session.scalars(select(Fact).where(Fact.kind == FactKind.TICKET_ANSWERED)).all()
    wanted = {town.follower(zhang).id, town.follower(town.phone("o-spouse")).id}
    assert {fact.data["follower_id"] for fact in told} == wanted


def test_what_is_not_there_is_said_with_what_is(town: Town, zhang: Phone) -> None:
    asked = zhang.says("取暖费收错了，我不认")
    asked.shows("没有找到您说的那一项", "提交异议").hides("取暖费")
    zhang.says("提交异议").shows("已记下您的异议", "转给物业核实").hides("不再催缴")
    [ticket] = tickets(town)
    assert (ticket.bill_line_id, ticket.fee) == (None, FeeKind.HEATING)
    assert said(town, ticket) == ["取暖费收错了，我不认"]


def test_it_can_be_left(town: Town, zhang: Phone) -> None:
    zhang.says("账单不对").shows("哪一项")
    zhang.says("算了").shows("没有提交异议")
    assert tickets(town) == []


def test_with_several_homes_it_asks_for_the_home_first(town: Town, zhang: Phone) -> None:
    zhang.says(f"绑定 {town.code_for(LI)}").shows("绑定成功")
    town.forget(zhang)
    zhang.says("垃圾费收错了，我没住").shows("哪一套", ZHANG, LI)
    zhang.says("1").shows("已记下", ZHANG, "生活垃圾处理费")
    [ticket] = tickets(town)
    assert said(town, ticket) == ["垃圾费收错了，我没住"]


def test_what_was_paid_can_be_disputed_too(town: Town, zhang: Phone) -> None:
    town.pay_everything(ZHANG)
    zhang.says("10月的垃圾费多收了，退给我").shows("2026年10月 生活垃圾处理费").hides("催缴")


def test_a_guess_that_was_confirmed_keeps_the_sentence(town: Town, zhang: Phone) -> None:
    """Whatever the understanding is unsure of today: here it asked back whether this disputes."""
    sealed = town.vault.seal("车位那个钱嘛")
    guess = {"topic": Topic.DISPUTE, "slots": {"fee": "parking"}, "said": sealed}
    memory = Memory(question=Question(QuestionKind.MEANT, guess), choices=("是的",))
    Conversations(town.services.redis).remember(zhang.openid, memory)
    zhang.says("对的").shows("已记下", "车位管理费")
    [ticket] = tickets(town)
    assert said(town, ticket) == ["车位那个钱嘛"]


def test_the_word_alone_shows_what_became_of_it(town: Town, zhang: Phone) -> None:
    zhang.says("异议").shows("哪一笔费用不对").hides("反映过")
    zhang.says("停车费收错了").shows("已记下")
    zhang.says("异议").shows("反映过的问题", "停车费", "待处理")
    [ticket] = tickets(town)
    with town.world.database.transaction() as session:
        answer_ticket(
            session,
            ticket.community_id,
            ticket.id,
            answer="您的车位合同到明年六月。",
            by=get_staff(session, "liu"),
            now=town.now,
        )
    zhang.says("异议").shows("已答复", "您的车位合同到明年六月。")


def test_the_bill_shows_what_is_being_looked_into(town: Town, zhang: Phone) -> None:
    zhang.says("停车费收错了").shows("已记下")
    zhang.says("明细").shows("车位管理费（B1-", "120.00 元（异议核实中）", "物业费")


def test_the_owner_may_still_pay(town: Town, zhang: Phone) -> None:
    zhang.says("停车费收错了").shows("已记下")
    zhang.says("缴费").shows("缴费")
    town.pay_everything(ZHANG)
    zhang.says("账单").shows("没有待缴")


def test_nobody_disputes_a_neighbours_line(town: Town, zhang: Phone) -> None:
    zhang.says(f"{LI}的停车费收错了").shows("没有绑定")
    zhang.says("异议 2026年11月 公共照明电费分摊 (7)").hides("已记下")
    assert tickets(town) == []


def test_a_stranger_is_shown_how_to_bind(town: Town) -> None:
    town.phone("o-stranger").says("停车费收错了").shows("绑定")
    assert tickets(town) == []
