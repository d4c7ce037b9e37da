"""Workbooks in the console: refused at the door, checked row by row, imported as a whole."""

import re
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from python_calamine import CalamineWorkbook
from sqlalchemy import select, text
from werkzeug.test import TestResponse

from billing.imports.columns import SheetKind
from billing.long_work import LongWork
from billing.people import StaffRole
from billing.property import Building
from bot import jobs
from bot.program import Program
from handlers.console.imports import UPLOAD_BYTES_MAX
from handlers.long_work import do_long_work
from tests.billing.imports.test_by_whom import row_of
from tests.billing.imports.workbooks import filled, xlsx
from tests.conftest import World
from tests.handlers.application import Clock
from tests.handlers.console.conftest import CSRF, Clerk

MakeClerk = Callable[..., Clerk]
FINE = {SheetKind.BUILDINGS: [{"code": "9", "name": "9号楼"}]}
FAULTY = {SheetKind.BUILDINGS: [{"code": "9", "name": "9号楼"}, {"code": "", "name": "无号楼"}]}


@pytest.fixture
def accountant(clerk: MakeClerk) -> Clerk:
    return clerk(StaffRole.ACCOUNTANT)


def send(clerk: Clerk, content: bytes, name: str = "楼栋.xlsx") -> TestResponse:
    token = CSRF.search(clerk.get("/account").text)
    assert token is not None
    fields: dict[str, Any] = {"csrf_token": token[1], "file": (BytesIO(content), name)}
    return clerk.client.post("/console/HY/imports", data=fields)


def number_of(answer: TestResponse) -> int:
    found = re.search(r"/work/(\d+)$", answer.headers.get("Location", ""))
    assert found is not None, answer.status_code
    return int(found[1])


def buildings(program: Program) -> set[str]:
    with program.services.database.transaction() as session:
        return set(session.scalars(select(Building.code)))


def test_a_sound_workbook_is_checked_first_and_imported_when_it_is_confirmed(
    accountant: Clerk, program: Program
) -> None:
    number = number_of(send(accountant, filled(FINE)))
    assert do_long_work(program.services) == {"done": 1}
    page = accountant.get(f"/HY/work/{number}").text
    assert "检查通过" in page
    assert "9" not in buildings(program)
    begun = accountant.post(f"/HY/imports/{number}/commit")
    assert do_long_work(program.services) == {"done": 1}
    assert "已全部导入" in accountant.get(f"/HY/work/{number_of(begun)}").text
    assert "9" in buildings(program)
    with program.services.database.transaction() as session:
        assert session.scalars(select(LongWork.file_sealed)).all() == [None, None]
    again = accountant.post(f"/HY/imports/{number}/commit")
    assert "请重新上传" in again.text


def test_a_faulty_one_names_its_rows_and_cannot_be_imported(
    accountant: Clerk, program: Program
) -> None:
    number = number_of(send(accountant, filled(FAULTY)))
    assert do_long_work(program.services) == {"done": 1}
    page = accountant.get(f"/HY/work/{number}").text
    assert "有 1 处需要修改" in page
    assert "必填" in page
    with accountant.get(f"/HY/imports/{number}/faults") as answer:
        sheet = CalamineWorkbook.from_filelike(BytesIO(answer.data)).get_sheet_by_index(0)
    assert sheet.to_python()[1][0] == "楼栋"
    refused = accountant.post(f"/HY/imports/{number}/commit")
    assert refused.status_code == 422
    assert "没有通过检查" in refused.text
    assert "9" not in buildings(program)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "请选择"),
        (b"room,area\n1-1-101,90\n", "这不是 .xlsx 文件"),
        (b"\xd0\xcf\x11\xe0 an old one", "旧版 .xls"),
    ],
)
def test_what_is_no_workbook_is_refused_at_the_door(
    accountant: Clerk, program: Program, content: bytes, words: str
) -> None:
    answer = send(accountant, content)
    assert answer.status_code == 422
    assert words in answer.text
    assert do_long_work(program.services) == {"done": 0}


def test_a_file_beyond_the_bound_is_refused_and_others_find_theirs_small(
    accountant: Clerk, stranger: Clerk
) -> None:
    def knock(who: Clerk, size: int) -> int:
        form = "multipart/form-data; boundary=x"
        return who.client.post(
            "/console/HY/imports", data=b"x" * size, content_type=form
        ).status_code

    assert knock(accountant, UPLOAD_BYTES_MAX + 1) == 413
    assert knock(stranger, 2**17) == 413
    assert send(accountant, b"x" * 2**17).status_code == 422


def test_files_and_reports_are_sealed_and_forgotten_after_a_week(
    accountant: Clerk, program: Program, clock: Clock
) -> None:
    number_of(send(accountant, filled(FAULTY)))
    do_long_work(program.services)
    with program.services.database.transaction() as session:
        kept = session.scalars(select(LongWork)).one()
    assert kept.file_sealed is not None
    assert kept.report_sealed is not None
    assert not kept.file_sealed.startswith(b"PK")
    assert "无号楼".encode() not in kept.report_sealed
    before = list(jobs._installed)
    jobs._installed[:] = [program]
    clock.later(days=8)
    assert jobs.run_forgetting()["files"] == 1
    jobs._installed[:] = before
    with program.services.database.transaction() as session:
        row = session.execute(text("SELECT file_sealed, report_sealed FROM long_work")).one()
    assert tuple(row) == (None, None)


def test_the_template_is_there_to_be_filled_in(accountant: Clerk) -> None:
    with accountant.get("/HY/imports/template") as answer:
        names = CalamineWorkbook.from_filelike(BytesIO(answer.data)).sheet_names
    assert SheetKind.READINGS.label in names


def test_what_was_checked_for_a_manager_is_checked_again_for_who_confirms_it(
    clerk: MakeClerk, accountant: Clerk, program: Program, world: World
) -> None:
    manager = clerk(StaffRole.MANAGER)
    number = number_of(send(manager, filled({SheetKind.COMMUNITIES: [row_of(world, name="新")]})))
    do_long_work(program.services)
    assert "检查通过" in manager.get(f"/HY/work/{number}").text
    begun = number_of(accountant.post(f"/HY/imports/{number}/commit"))
    do_long_work(program.services)
    assert "只有经理可以更改" in accountant.get(f"/HY/work/{begun}").text
    begun = number_of(manager.post(f"/HY/imports/{number}/commit"))
    do_long_work(program.services)
    assert "已全部导入" in manager.get(f"/HY/work/{begun}").text


def test_a_sheet_nobody_knows_is_a_fault_of_its_own(accountant: Clerk, program: Program) -> None:
    number = number_of(send(accountant, xlsx({"随便": [["一"], ["二"]]})))
    do_long_work(program.services)
    assert "不认识的工作表" in accountant.get(f"/HY/work/{number}").text
