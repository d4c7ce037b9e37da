"""开通清单: what a community still lacks, on the first page until nothing is left."""

from collections.abc import Callable

from sqlalchemy import text

from billing.bindings import issue_code
from billing.people import StaffRole
from bot.program import Program
from tests.conftest import World
from tests.handlers.console.conftest import Clerk

MakeClerk = Callable[..., Clerk]


def test_the_first_page_says_what_is_next_until_all_is_done(
    clerk: MakeClerk, program: Program, world: World
) -> None:
    manager = clerk(StaffRole.MANAGER)
    assert "还没有模板：账单通知" in manager.get("/HY/setup").text
    first = manager.get("/HY/").text
    assert "还差" in first
    assert "设置消息模板" in first
    with program.services.database.transaction() as session:
        unit = world.unit("1-1-302")
        issue_code(
            session,
            program.services.vault,
            community_id=unit.community_id,
            unit_id=unit.id,
            now=program.services.clock(),
        )
        for kind in ("bill_issued", "overdue", "payment_received"):
            session.execute(
                text(
                    "INSERT INTO notice_template (kind, transport, template_id, fields, set_by,"
                    " set_at) VALUES (:kind, 'template', 'TM', '{}', :by, now())"
                ),
                {"kind": kind, "by": manager.staff_id},
            )
    done = manager.get("/HY/setup").text
    assert "已经可以正常收费" in done
    assert "mingzhang doctor" in done
    assert "开通清单<small>还差" not in manager.get("/HY/").text


def test_who_may_not_set_up_is_not_asked_to(clerk: MakeClerk) -> None:
    assert "开通清单" not in clerk(StaffRole.SERVICE).get("/HY/").text
