"""A fapiao is for what was paid on bills, once; staff issue, reject or take it back."""

import threading
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import pytest
from sqlalchemy import Engine, select

from billing.adjustment_tables import AfterVoid
from billing.bills import list_unpaid
from billing.bindings import see_follower
from billing.db import Database
from billing.deduction import deduct_home
from billing.errors import Conflict, InvalidInput, NotFound
from billing.facts import Fact, FactKind
from billing.fapiao import (
    find_file,
    find_last_title,
    get_fapiao,
    issue_fapiao,
    list_uninvoiced,
    open_title,
    reject_fapiao,
    request_fapiao,
    reverse_fapiao,
)
from billing.fapiao_papers import FILE_BYTES_MAX, FapiaoTitle, read_title, sniff
from billing.fapiao_tables import Fapiao, FapiaoState, FileKind, TitleKind
from billing.money import Money
from billing.payment_tables import Payment
from billing.people import get_staff
from billing.privacy import Vault
from billing.refund_outcomes import reject_refund
from billing.refund_tables import Refund, RefundStage
from billing.refunds import approve_refund, new_out_refund_no, request_refund
from billing.tax_numbers import ALPHABET, check_character, read_tax_number
from billing.voids import void_bill
from tests.billing.corrections import BEHIND, owed, violations
from tests.billing.drawer import cancel, take
from tests.conftest import NOW, TODAY, World, many_rounds

COMPANY = FapiaoTitle(TitleKind.COMPANY, "花园商贸有限公司", "91110108551385082Q")
NUMBER = "26112000000000000017"
PDF = b"%PDF-1.7\n..."


def ofd(*names: str) -> bytes:
    package = BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        for name in names:
            archive.writestr(name, "<x/>")
    return package.getvalue()


@pytest.fixture
def paid(world: World) -> Payment:
    """李先生's debts, and ten yuan beyond them."""
    with world.database.transaction() as session:
        return take(session, world, BEHIND, (owed(world, BEHIND) + Money(1000)).yuan)


def ask(world: World, vault: Vault, payment: Payment, database: Database | None = None) -> Fapiao:
    with (database or world.database).transaction() as session:
        return request_fapiao(
            session,
            vault,
            community_id=world.community.id,
            unit_id=payment.unit_id,
            payment_ids=[payment.id],
            title=COMPANY,
            follower_id=see_follower(session, "o-li", NOW).id,
            now=NOW,
        )


def issue(
    world: World, fapiao: Fapiao, *, number: str = NUMBER, content: bytes | None = PDF,
    by: str = "chen",
) -> Fapiao:  # fmt: skip
    with world.database.transaction() as session:
        return issue_fapiao(
            session, fapiao.community_id, fapiao.id, number=number, content=content,
            by=get_staff(session, by), now=NOW,
        )  # fmt: skip


def reject(world: World, fapiao: Fapiao, reason: str = "抬头有误") -> Fapiao:
    with world.database.transaction() as session:
        by = get_staff(session, "chen")
        return reject_fapiao(session, fapiao.community_id, fapiao.id, reason=reason, by=by, now=NOW)


def reverse(world: World, fapiao: Fapiao) -> Fapiao:
    with world.database.transaction() as session:
        return reverse_fapiao(
            session, fapiao.community_id, fapiao.id, reason="开错了", red_number="9" * 20,
            by=get_staff(session, "chen"), now=NOW,
        )  # fmt: skip


def kinds(world: World) -> list[FactKind]:
    with world.database.transaction() as session:
        told = select(Fact.kind).where(Fact.kind.in_([k for k in FactKind if "fapiao" in k.value]))
        return list(session.scalars(told.order_by(Fact.id)))


def test_a_fapiao_is_for_what_the_payment_paid_not_for_what_became_a_prepayment(
    world: World, vault: Vault, paid: Payment
) -> None:
    fapiao = ask(world, vault, paid)
    assert fapiao.amount == paid.amount - Money(1000)
    assert fapiao.state is FapiaoState.REQUESTED
    with world.database.transaction() as session:
        kept = get_fapiao(session, fapiao.community_id, fapiao.id)
        assert "花园" not in kept.title_sealed
        assert open_title(vault, kept) == COMPANY
        assert find_last_title(session, vault, kept.follower_id) == COMPANY
        assert find_last_title(session, vault, kept.follower_id + 1) is None
        fact = session.scalars(select(Fact).where(Fact.kind == FactKind.FAPIAO_REQUESTED)).one()
        assert (fact.ref_id, fact.data) == (fapiao.id, {"follower_id": fapiao.follower_id})
    assert violations(world) == []


def test_a_prepayment_is_invoiced_when_it_pays_a_bill(world: World, vault: Vault) -> None:
    unit = world.unit(BEHIND)
    with world.database.transaction() as session:
        came = take(session, world, BEHIND, "100.00", designated={})
        before = [
            offer.payment.id for offer in list_uninvoiced(session, unit.community_id, unit.id)
        ]
    assert came.id not in before
    with pytest.raises(Conflict, match="nothing to invoice"):
        ask(world, vault, came)
    with world.database.transaction() as session:
        used = deduct_home(session, unit.community_id, unit.id, now=NOW)
        assert used is not None
        offer, *_ = list_uninvoiced(session, unit.community_id, unit.id)
    assert (offer.payment.id, offer.amount) == (used.id, Money(10000))
    assert ask(world, vault, used).amount == Money(10000)


def test_a_payment_is_invoiced_once(world: World, vault: Vault, paid: Payment) -> None:
    ask(world, vault, paid)
    with pytest.raises(Conflict, match="nothing to invoice"):
        ask(world, vault, paid)


@many_rounds
def test_two_requests_at_once_become_one(
    world: World, vault: Vault, paid: Payment, engine_for: Callable[[str], Engine]
) -> None:
    database = Database(engine_for(world.url), after_facts=lambda: None)
    start = threading.Barrier(2)

    def act(_: int) -> bool:
        start.wait()
        try:
            ask(world, vault, paid, database)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(act, range(2))) == [False, True]
    assert violations(world) == []


def test_somebody_elses_payment_is_not_invoiced_for_this_home(
    world: World, vault: Vault, paid: Payment
) -> None:
    with pytest.raises(Conflict), world.database.transaction() as session:
        request_fapiao(
            session, vault, community_id=world.community.id, unit_id=world.unit("3-2-501").id,
            payment_ids=[paid.id], title=COMPANY,
            follower_id=see_follower(session, "o-zhang", NOW).id, now=NOW,
        )  # fmt: skip


def test_staff_issue_it_with_number_and_file(world: World, vault: Vault, paid: Payment) -> None:
    fapiao = issue(world, ask(world, vault, paid))
    assert (fapiao.state, fapiao.number) == (FapiaoState.ISSUED, NUMBER)
    with world.database.transaction() as session:
        file = find_file(session, fapiao)
        assert file is not None
        assert (file.kind, file.content) == (FileKind.PDF, PDF)
    with pytest.raises(Conflict, match="issued, not requested"):
        issue(world, fapiao)
    with pytest.raises(Conflict, match="issued, not requested"):
        reject(world, fapiao)
    assert kinds(world) == [FactKind.FAPIAO_REQUESTED, FactKind.FAPIAO_ISSUED]


def test_a_number_stands_for_one_fapiao(world: World, vault: Vault, paid: Payment) -> None:
    issue(world, ask(world, vault, paid))
    with world.database.transaction() as session:
        other = take(session, world, "3-2-501", "1.00", "S2")
    with pytest.raises(Conflict, match=NUMBER):
        issue(world, ask(world, vault, other))


def test_after_a_rejection_or_a_reversal_it_may_be_asked_for_again(
    world: World, vault: Vault, paid: Payment
) -> None:
    first = reject(world, ask(world, vault, paid))
    assert (first.state, first.end_reason) == (FapiaoState.REJECTED, "抬头有误")
    second = issue(world, ask(world, vault, paid))
    third = reverse(world, second)
    assert (third.state, third.red_number) == (FapiaoState.REVERSED, "9" * 20)
    with pytest.raises(Conflict, match="reversed, not issued"):
        reverse(world, second)
    assert ask(world, vault, paid).amount == first.amount
    assert violations(world) == []


def test_who_may_not_and_what_cannot_be_is_refused(
    world: World, vault: Vault, paid: Payment
) -> None:
    fapiao = ask(world, vault, paid)
    for by, number, content, field in (
        ("zhou", NUMBER, PDF, "by"),
        ("chen", "123", PDF, "number"),
        ("chen", NUMBER, b"GIF89a", "file"),
        ("chen", NUMBER, b"%PDF-" + b"x" * FILE_BYTES_MAX, "file"),
    ):
        with pytest.raises(InvalidInput) as refusal:
            issue(world, fapiao, by=by, number=number, content=content)
        assert refusal.value.field == field
    with pytest.raises(InvalidInput, match="why"):
        reject(world, fapiao, " ")
    with pytest.raises(NotFound), world.database.transaction() as session:
        get_fapiao(session, world.community.id, 999)


def test_a_payment_with_a_fapiao_is_not_cancelled_until_that_is_gone(
    world: World, vault: Vault, paid: Payment
) -> None:
    fapiao = ask(world, vault, paid)
    with (
        pytest.raises(Conflict, match=f"fapiao {fapiao.id}"),
        world.database.transaction() as session,
    ):
        cancel(session, session.get_one(Payment, (paid.community_id, paid.id)))
    reject(world, fapiao)
    with world.database.transaction() as session:
        cancel(session, session.get_one(Payment, (paid.community_id, paid.id)))
        assert list_unpaid(session, paid.community_id, [paid.unit_id]) != []
    with pytest.raises(Conflict, match="nothing to invoice"):
        ask(world, vault, paid)
    assert violations(world) == []


def refund(world: World, payment: Payment, amount: Money) -> Refund:
    with world.database.transaction() as session:
        return request_refund(
            session, payment.community_id, payment.id, amount, reason="退房", release_bills=True,
            by=get_staff(session, "liu"), now=NOW, out_refund_no=new_out_refund_no(),
        )  # fmt: skip


def approve(world: World, asked: Refund) -> None:
    with world.database.transaction() as session:
        for login in ("zhao", "chen"):
            by = get_staff(session, login)
            if asked.state is RefundStage.REQUESTED:
                asked = approve_refund(
                    session, asked.community_id, asked.id, by=by, today=TODAY, now=NOW
                )


def test_what_a_fapiao_is_for_is_not_refunded_until_that_is_gone(
    world: World, vault: Vault, paid: Payment
) -> None:
    early = refund(world, paid, Money(1100))
    fapiao = ask(world, vault, paid)
    with pytest.raises(Conflict, match="reject or reverse"):
        approve(world, early)
    with world.database.transaction() as session:
        by = get_staff(session, "chen")
        reject_refund(session, early.community_id, early.id, by=by, reason="已开票", now=NOW)
    with pytest.raises(Conflict, match="reject or reverse"):
        refund(world, paid, Money(1001))
    approve(world, refund(world, paid, Money(1000)))
    issue(world, fapiao)
    reverse(world, fapiao)
    approve(world, refund(world, paid, paid.amount - Money(1000)))
    assert violations(world) == []


def test_a_bill_whose_payment_has_a_fapiao_is_not_voided_until_that_is_gone(
    world: World, vault: Vault
) -> None:
    with world.database.transaction() as session:
        unit_id = world.unit(BEHIND).id
        owing = list_unpaid(session, world.community.id, [unit_id])
        paid = take(session, world, BEHIND, owing[0].outstanding.yuan)
    fapiao = ask(world, vault, paid)

    def void(bill_id: int) -> None:
        with world.database.transaction() as session:
            void_bill(
                session, world.community.id, bill_id, after=AfterVoid.REDO, reason="面积有误",
                by=get_staff(session, "chen"), today=TODAY, now=NOW,
            )  # fmt: skip

    with pytest.raises(Conflict, match=f"fapiao {fapiao.id} is for what was paid"):
        void(owing[0].id)
    void(owing[1].id)
    reject(world, fapiao)
    void(owing[0].id)
    assert violations(world) == []


def test_files_are_known_by_their_content() -> None:
    assert sniff(PDF) is FileKind.PDF
    assert sniff(b"\x89PNG\r\n\x1a\n...") is FileKind.PNG
    assert sniff(ofd("OFD.xml", "Doc_0/Document.xml")) is FileKind.OFD
    for strange in (b"", b"<html>", ofd("word/document.xml"), b"PK\x03\x04 broken", b"MZ"):
        with pytest.raises(InvalidInput):
            sniff(strange)


def test_every_wrong_character_of_a_credit_code_is_noticed() -> None:
    right = "91110108551385082Q"
    assert not read_tax_number(right).is_legacy
    for at, character in enumerate(right):
        for other in ALPHABET:
            if other != character:
                with pytest.raises(InvalidInput):
                    read_tax_number(right[:at] + other + right[at + 1 :])


@pytest.mark.parametrize(
    "text", ["1101085513850", "9111010855138508", "I" * 18, "", "公司税号", "9" * 19]
)
def test_what_is_no_tax_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        read_tax_number(text)
    assert refusal.value.field == "tax_number"


@pytest.mark.parametrize("length", [15, 17, 20])
def test_numbers_of_the_old_forms_are_taken_with_a_mark(length: int) -> None:
    assert read_tax_number("1" * length).is_legacy
    assert read_title(TitleKind.COMPANY, "花园商行", "1" * length).is_legacy_number


def test_the_check_character_is_that_of_the_standard() -> None:
    for code in ("91350100M000100Y43", "91330100799655058B"):
        assert check_character(code[:-1]) == code[-1]


@pytest.mark.parametrize(
    ("kind", "name", "tax", "email", "field"),
    [
        (TitleKind.COMPANY, "花园商行", None, None, "tax_number"),
        (TitleKind.PERSONAL, "张秀英", "91110108551385082Q", None, "tax_number"),
        (TitleKind.PERSONAL, "张", None, None, "title"),
        (TitleKind.PERSONAL, "张\x00英", None, None, "title"),
        (TitleKind.PERSONAL, "长" * 101, None, None, "title"),
        (TitleKind.PERSONAL, "张秀英", None, "zhang@", "email"),
    ],
)
def test_a_title_that_cannot_be_printed_is_refused(
    kind: TitleKind, name: str, tax: str | None, email: str | None, field: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        read_title(kind, name, tax, email)
    assert refusal.value.field == field


def test_titles_are_mended_where_there_is_one_meaning() -> None:
    title = read_title(
        TitleKind.COMPANY, " 花园（北京）  商行 ", "9111 0108 5513 8508 2q", " a@b.cn "
    )
    assert title.name == "花园(北京) 商行"
    assert (title.tax_number, title.email) == ("91110108551385082Q", "a@b.cn")
