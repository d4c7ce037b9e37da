"""An alert is told once, and again only after somebody has dealt with it."""

import pytest
from sqlalchemy import func, select

from billing.alerts import Alert, AlertKind, close_alert, raise_alert
from billing.db import Database
from billing.errors import NotFound
from billing.facts import Fact
from tests.conftest import NOW


def raised(database: Database) -> tuple[int, int]:
    """Raise the same alert; (alerts, facts) there are afterwards."""
    with database.transaction() as session:
        raise_alert(
            session,
            AlertKind.SENDING_STOPPED,
            key="sending stopped",
            community_id=None,
            data={},
            now=NOW,
        )
        alerts = session.scalar(select(func.count(Alert.id))) or 0
        return alerts, session.scalar(select(func.count(Fact.id))) or 0


def test_an_open_alert_is_raised_once(database: Database) -> None:
    assert raised(database) == (1, 1)
    assert raised(database) == (1, 1)


def test_a_closed_alert_may_be_raised_again(database: Database) -> None:
    raised(database)
    with database.transaction() as session:
        [alert] = session.scalars(select(Alert))
        close_alert(session, alert.id, NOW)
    assert raised(database) == (2, 2)


def test_an_alert_that_does_not_exist_cannot_be_closed(database: Database) -> None:
    with pytest.raises(NotFound), database.transaction() as session:
        close_alert(session, 7, NOW)
