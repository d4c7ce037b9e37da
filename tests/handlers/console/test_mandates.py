"""代扣授权: a paper is written down once, masked ever after, and ended."""

from collections.abc import Callable
from io import BytesIO
from zipfile import ZipFile

from sqlalchemy import select

from billing.audit import AuditEntry
from billing.direct_debit.tables import DirectDebitMandate, MandateState
from billing.people import StaffRole
from bot.program import Program
from tests.conftest import World
from tests.handlers.console.conftest import Clerk

MakeClerk = Callable[..., Clerk]
PATH = "/HY/mandates"
PAPER = {
    "room": "1-1-302",
    "paper": "TS-001",
    "person_name": "林小满",
    "account_number": "6222 0000 1234 5678",
    "signed_on": "2026-11-20",
    "notice_days": "3",
}


def kept(program: Program) -> list[DirectDebitMandate]:
    with program.services.database.transaction() as session:
        return list(session.scalars(select(DirectDebitMandate)))


def test_a_mandate_is_signed_once_masked_and_never_in_the_log(
    clerk: MakeClerk, program: Program
) -> None:
    desk = clerk(StaffRole.ACCOUNTANT)
    assert "还没有授权" in desk.get(PATH).text
    for _ in range(2):  # the same paper again changes nothing
        assert desk.post(PATH, **PAPER).status_code == 303
    [one] = kept(program)
    assert (one.contract_code, one.notice_days, one.account_tail) == ("TS-001", 3, "5678")
    page = desk.get(PATH).text
    assert "**** 5678" in page
    assert "1-1-302" in page
    with desk.get(f"{PATH}?format=xlsx") as answer, ZipFile(BytesIO(answer.data)) as file:
        sheet = "".join(file.read(name).decode() for name in file.namelist())
    assert "5678" in sheet
    for secret in ("林小满", "62220000", "6222 0000"):
        assert secret not in page
        assert secret not in sheet
    with program.services.database.transaction() as session:
        said = [entry.detail for entry in session.scalars(select(AuditEntry))]
    assert any(detail.get("paper") == "TS-001" for detail in said)
    assert "林小满" not in str(said)
    assert "6222" not in str(said)


def test_what_cannot_be_is_refused_at_its_field_with_what_was_typed(
    clerk: MakeClerk, program: Program
) -> None:
    desk = clerk(StaffRole.ACCOUNTANT)
    for changes, words in (
        ({"room": "9-9-999"}, "没有这个房号，请核对"),
        ({"paper": "第一号"}, "协议号最多 32 位"),
        ({"person_name": "=SUM(A1)"}, "户名不能以"),
        ({"account_number": "12"}, "账号须为 8–32 位数字"),
        ({"signed_on": "2027-01-01"}, "签署日不能晚于今天"),
        ({"notice_days": "99"}, "须为 0–30 天"),
    ):
        answer = desk.post(PATH, **{**PAPER, **changes})
        assert answer.status_code == 422, changes
        assert words in answer.text, changes
        assert 'value="TS-001"' in answer.text or "paper" in changes
    assert kept(program) == []


def test_a_home_has_one_mandate_until_it_is_ended(
    clerk: MakeClerk, program: Program, world: World
) -> None:
    desk = clerk(StaffRole.ACCOUNTANT)
    desk.post(PATH, **PAPER)
    assert "已有生效的授权" in desk.post(PATH, **{**PAPER, "paper": "TS-002"}).text
    [one] = kept(program)
    end = f"{PATH}/{one.id}/end"
    assert "不能早于签署日 2026-11-20" in desk.post(end, on="2026-11-01").text
    assert desk.post(end, on="2026-11-23").status_code == 303
    assert kept(program)[0].state is MandateState.ENDED
    assert "TS-001" not in desk.get(PATH).text
    assert "TS-001" in desk.get(f"{PATH}?state=ended&room=1-1-302").text
    assert "换个条件" in desk.get(f"{PATH}?state=all&room=9-9-999").text
    assert desk.post(PATH, **{**PAPER, "paper": "TS-002"}).status_code == 303
