"""开发票: a short form in the chat, in one sentence or step by step, and how far it is."""

import pytest
from sqlalchemy import func, select

from billing.fapiao import issue_fapiao, list_fapiao, open_title, reject_fapiao
from billing.fapiao_tables import Fapiao, FapiaoState, TitleKind
from billing.people import get_staff
from tests.billing.drawer import take
from tests.phone import Phone
from tests.town import Town

ROOM = "3-2-501"
COMPANY = "花园商贸有限公司"
TAX = "91110108551385082Q"


@pytest.fixture
def zhang(town: Town) -> Phone:
    """张阿姨, who paid all she owes."""
    town.pay_everything(ROOM)
    return town.owner(ROOM, "o-zhang")


def asked(town: Town) -> list[Fapiao]:
    with town.world.database.transaction() as session:
        return list_fapiao(session, town.world.community.id)


def test_a_company_is_asked_for_step_by_step(town: Town, zhang: Phone) -> None:
    zhang.says("开发票").shows("开票金额", "个人", "公司")
    zhang.says("公司").shows("公司全称")
    zhang.says(COMPANY).shows("税号")
    zhang.says(TAX).shows(COMPANY, TAX, "确认开票")
    assert asked(town) == []
    zhang.says("确认开票").shows("已为 3-2-501 申请开票")
    [fapiao] = asked(town)
    title = open_title(town.vault, fapiao)
    assert (title.kind, title.name, title.tax_number) == (TitleKind.COMPANY, COMPANY, TAX)
    zhang.says("确认开票")
    assert len(asked(town)) == 1


def test_a_person_needs_no_tax_number(town: Town, zhang: Phone) -> None:
    zhang.says("开发票")
    zhang.says("个人").shows("姓名").hides("税号")
    zhang.says("张秀英").shows("张秀英（个人）").hides("税号")
    zhang.says("确认开票").shows("已为")
    assert open_title(town.vault, asked(town)[0]).kind is TitleKind.PERSONAL


@pytest.mark.parametrize(
    "sentence",
    [
        f"开发票 抬头{COMPANY} 税号{TAX}",
        f"开发票 抬头：{COMPANY}，税号：9111 0108 5513 8508 2q",
        f"开发票，公司名称{COMPANY}，纳税人识别号{TAX}",
    ],
)
def test_one_sentence_says_everything(town: Town, zhang: Phone, sentence: str) -> None:
    zhang.says(sentence).shows(COMPANY, TAX, "确认开票")
    zhang.says("确认开票").shows("已为")
    assert asked(town)[0].tax_number == TAX


def test_a_wrong_tax_number_is_explained_and_asked_again(zhang: Phone) -> None:
    zhang.says("开发票")
    zhang.says("公司")
    zhang.says(COMPANY)
    zhang.says("91110108551385082X").shows("对不上", "18 位")
    zhang.says("没有").shows("对不上")
    zhang.says("取消").shows("没有申请发票")
    zhang.says(TAX).hides("确认开票")


@pytest.mark.parametrize("steps", [[], ["公司"], ["公司", COMPANY], ["公司", COMPANY, TAX]])
def test_cancel_leaves_at_any_step(town: Town, zhang: Phone, steps: list[str]) -> None:
    zhang.says("开发票")
    for step in steps:
        zhang.says(step)
    zhang.says("取消").shows("没有申请发票")
    zhang.says("确认开票")
    assert asked(town) == []


def test_a_command_leaves_the_form(town: Town, zhang: Phone) -> None:
    zhang.says("开发票")
    zhang.says("账单").shows("没有待缴账单")
    zhang.says("个人").hides("姓名")
    assert asked(town) == []


def test_another_payment_or_all_of_them_can_be_chosen(town: Town, zhang: Phone) -> None:
    zhang.says("开发票").shows("1.", "2.", "全部")
    zhang.says("2").shows("开票金额")
    zhang.says("全部").shows("开票金额")
    zhang.says("个人")
    zhang.says("张秀英")
    zhang.says("确认开票").shows("已为")
    zhang.says("开发票").shows("待开具", "没有可以开票的缴费")


def test_the_last_title_is_offered_again(town: Town, zhang: Phone) -> None:
    zhang.says(f"开发票 抬头{COMPANY} 税号{TAX}")
    zhang.says("确认开票")
    with town.world.database.transaction() as session:
        take(session, town.world, "2-1-803", "1.00", now=town.now)
    zhang.says("开发票").shows(COMPANY, TAX, "确认开票")
    zhang.says("个人").shows("姓名").hides(COMPANY)


def test_an_owner_hears_how_far_it_is(town: Town, zhang: Phone) -> None:
    zhang.says("发票开了吗").shows("还没有申请过")
    zhang.says(f"开发票 抬头{COMPANY} 税号{TAX}")
    zhang.says("确认开票")
    zhang.says("发票开了吗").shows("待开具", ROOM)
    [fapiao] = asked(town)
    with town.world.database.transaction() as session:
        by = get_staff(session, "chen")
        issue_fapiao(
            session, fapiao.community_id, fapiao.id, number="2" * 20, content=None, by=by,
            now=town.now,
        )  # fmt: skip
    heard = zhang.says("发票开了吗").shows("已开具", "2" * 20)
    assert "/o/fapiao/" in heard.urls[0]


def test_a_rejection_is_listed_with_its_reason(town: Town, zhang: Phone) -> None:
    zhang.says(f"开发票 抬头{COMPANY} 税号{TAX}")
    zhang.says("确认开票")
    [fapiao] = asked(town)
    with town.world.database.transaction() as session:
        by = get_staff(session, "chen")
        reject_fapiao(
            session, fapiao.community_id, fapiao.id, reason="抬头有误", by=by, now=town.now
        )
    zhang.says("发票开了吗").shows("未通过", "抬头有误", "可以申请新的发票")


def test_strangers_and_other_homes_get_none(town: Town, zhang: Phone) -> None:
    town.phone("o-stranger").says("开发票").shows("还没有绑定")
    zhang.says("开发票 1-1-302").shows("没有绑定 1-1-302")


def test_a_payment_somebody_else_asked_for_meanwhile_is_not_asked_for_twice(
    town: Town, zhang: Phone
) -> None:
    daughter = town.owner(ROOM, "o-daughter")
    for phone in (zhang, daughter):
        phone.says("开发票")
        phone.says("全部")
        phone.says("个人")
        phone.says("张秀英")
    zhang.says("确认开票").shows("已为")
    daughter.says("确认开票").shows("不能开票")
    assert [one.state for one in asked(town)] == [FapiaoState.REQUESTED]


def test_titles_are_not_kept_in_clear_in_the_memory(town: Town, zhang: Phone) -> None:
    zhang.says("开发票")
    zhang.says("个人")
    zhang.says("张秀英")
    stored = town.services.redis.get("chat:memory:o-zhang")
    assert isinstance(stored, bytes)
    assert "张秀英" not in stored.decode()
    assert "张秀英" not in stored.decode("unicode_escape")
    with town.world.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(Fapiao)) == 0
