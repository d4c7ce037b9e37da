"""Changes told to outside systems: claimed, sent with a signature, tried for a day, then given up
and staff told. At least once: a change that comes again has the same `Mingzhang-Delivery`.
"""

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.alerts import AlertKind, raise_alert
from billing.db import Database
from billing.errors import Conflict, InvalidInput, NotFound
from billing.facts import FactKind
from billing.privacy import Vault
from billing.refusals import require_text
from notify.webhook_post import Refused, Target, post, read_url, sign
from notify.webhook_tables import DeliveryState, Webhook, WebhookDelivery

TRIED_FOR = timedelta(days=1)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=2)
LEASE = timedelta(minutes=2)
PER_BATCH = 40
TURN = timedelta(minutes=2)
"""No batch is begun later; with the slowest one the job ends long before its time is up."""

THREADS = 8
SECRET_MIN = 16
KEPT = timedelta(days=90)

log = structlog.get_logger(__name__)

TELLABLE = frozenset(
    {
        FactKind.BILL_ISSUED,
        FactKind.BILL_VOIDED,
        FactKind.ADJUSTED,
        FactKind.PAYMENT_CONFIRMED,
        FactKind.PAYMENT_REVERSED,
        FactKind.RECEIPT_ISSUED,
        FactKind.REFUND_DONE,
        FactKind.PREPAID_USED,
        FactKind.PERIOD_CLOSED,
        FactKind.DAY_CLOSED,
        FactKind.HANDED_OVER,
    }
)
"""Changes of the books; what concerns single people stays here."""


def add_webhook(
    session: Session,
    vault: Vault,
    *,
    name: str,
    url: str,
    secret: str,
    kinds: Collection[FactKind],
    community_id: int | None,
    loopback: bool,
    now: datetime,
) -> Webhook:
    """Have an outside system told of changes from now on.

    Args:
        secret: what it checks the signatures with; kept sealed.
        loopback: addresses of this machine are good, for tests and demos.

    Raises:
        InvalidInput: an unusable name, address or secret, or a kind that is not told to others.
        Conflict: the name is taken.
    """
    name = require_text("name", name)
    read_url(url, loopback=loopback)
    if not (SECRET_MIN <= len(secret) <= 200 and secret.isascii() and secret.isprintable()):
        raise InvalidInput("secret", f"takes {SECRET_MIN} to 200 printable ASCII characters")
    if not kinds or not TELLABLE.issuperset(kinds):
        told = ", ".join(sorted(TELLABLE))
        raise InvalidInput("kinds", f"name at least one, of: {told}")
    # Of two who take a name at once the second waits here for the first.
    webhook: Webhook | None = session.scalar(
        insert(Webhook)
        .values(
            name=name,
            url=url,
            secret_sealed=vault.seal(secret),
            kinds=sorted(kind.value for kind in set(kinds)),
            community_id=community_id,
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["name"])
        .returning(Webhook)
    )
    if webhook is None:
        raise Conflict(f"there is a webhook named {name!r}; choose another name")
    return webhook


def get_webhook(session: Session, name: str) -> Webhook:
    """The one of this name, ended or not.

    Raises:
        NotFound: there is none.
    """
    found = session.scalar(select(Webhook).where(Webhook.name == name))
    if found is None:
        raise NotFound(f"no webhook named {name!r}")
    return found


def end_webhook(session: Session, webhook: Webhook, now: datetime) -> int:
    """Tell it nothing any more, not even what waits; returns how many deliveries that were."""
    webhook.ended_at = webhook.ended_at or now
    ended = session.execute(
        update(WebhookDelivery)
        .where(
            WebhookDelivery.webhook_id == webhook.id,
            WebhookDelivery.state.in_((DeliveryState.QUEUED, DeliveryState.SENDING)),
        )
        .values(state=DeliveryState.GIVEN_UP, settled_at=now, outcome="the webhook was ended")
        .returning(WebhookDelivery.id)
    )
    return len(ended.all())


def replay(
    session: Session, webhook: Webhook, now: datetime, *, since: datetime, failed_only: bool
) -> int:
    """Send again what was told since then, or only what never arrived; returns how many.

    Deliveries keep their numbers, so that a careful receiver does nothing twice.

    Raises:
        Conflict: the webhook was ended.
    """
    if webhook.ended_at is not None:
        raise Conflict(f"webhook {webhook.name!r} was ended; add another")
    states = [DeliveryState.GIVEN_UP]
    if not failed_only:
        states.append(DeliveryState.DELIVERED)
    again = session.execute(
        update(WebhookDelivery)
        .where(
            WebhookDelivery.webhook_id == webhook.id,
            WebhookDelivery.created_at >= since,
            WebhookDelivery.state.in_(states),
        )
        .values(
            state=DeliveryState.QUEUED,
            queued_at=now,
            next_attempt_at=now,
            settled_at=None,
        )
        .returning(WebhookDelivery.id)
    )
    return len(again.all())


@dataclass(frozen=True, slots=True)
class Parcel:
    """One attempt to make: all a thread without a database needs."""

    community_id: int
    delivery_id: int
    number: str
    attempt: int
    webhook_id: int
    webhook_name: str
    webhook_community_id: int | None
    url: str
    secret_sealed: str
    body: dict[str, Any]
    gives_up_at: datetime

    def __repr__(self) -> str:
        """Keep address and content out of logs."""
        return f"Parcel({self.number}, attempt={self.attempt})"


def claim_deliveries(
    session: Session, now: datetime, limit: int, silent: Collection[int] = ()
) -> list[Parcel]:
    """Take what is due, and what crashed workers left; two workers never take the same.

    Args:
        silent: webhooks that did not answer a moment ago; the others come first.
    """
    due = session.execute(
        select(WebhookDelivery, Webhook)
        .join(Webhook, Webhook.id == WebhookDelivery.webhook_id)
        .where(
            WebhookDelivery.state.in_((DeliveryState.QUEUED, DeliveryState.SENDING)),
            WebhookDelivery.next_attempt_at <= now,
            WebhookDelivery.webhook_id.not_in(silent),
        )
        .order_by(WebhookDelivery.next_attempt_at, WebhookDelivery.id)
        .limit(limit)
        .with_for_update(of=WebhookDelivery, skip_locked=True)
    ).all()
    parcels = []
    for delivery, webhook in due:
        delivery.state = DeliveryState.SENDING
        delivery.attempts += 1
        delivery.next_attempt_at = now + LEASE
        parcels.append(
            Parcel(
                community_id=delivery.community_id,
                delivery_id=delivery.id,
                number=delivery.number,
                attempt=delivery.attempts,
                webhook_id=webhook.id,
                webhook_name=webhook.name,
                webhook_community_id=webhook.community_id,
                url=webhook.url,
                secret_sealed=webhook.secret_sealed,
                body=delivery.body,
                gives_up_at=delivery.queued_at + TRIED_FOR,
            )
        )
    return parcels


def pause_after(attempt: int) -> timedelta:
    """How long to wait after the so-manieth attempt: 30 s, doubled each time, two hours at most.

    >>> [pause_after(attempt).seconds for attempt in (1, 3, 99)]
    [30, 120, 7200]
    """
    doubled: int = 1 << min(attempt - 1, 20)
    return min(FIRST_PAUSE * doubled, LONGEST_PAUSE)


def record_outcome(session: Session, parcel: Parcel, outcome: str | None, now: datetime) -> None:
    """Write down how an attempt ended; `outcome` None: accepted. Late workers change nothing."""
    delivery = session.get_one(
        WebhookDelivery,
        (parcel.community_id, parcel.delivery_id),
        with_for_update=True,
        populate_existing=True,
    )
    if delivery.state is not DeliveryState.SENDING or delivery.attempts != parcel.attempt:
        return
    delivery.outcome = outcome or "accepted"
    if outcome is None:
        delivery.state, delivery.settled_at = DeliveryState.DELIVERED, now
        return
    later = now + pause_after(parcel.attempt)
    if later < parcel.gives_up_at:
        delivery.state, delivery.next_attempt_at = DeliveryState.QUEUED, later
        return
    delivery.state, delivery.settled_at = DeliveryState.GIVEN_UP, now
    raise_alert(
        session,
        AlertKind.WEBHOOK_FAILED,
        key=f"webhook not reached: {parcel.webhook_id}",
        community_id=parcel.webhook_community_id,
        data={"webhook": parcel.webhook_name, "outcome": outcome},
        now=now,
    )


def forget_deliveries(session: Session, now: datetime) -> int:
    """Delete what was settled 90 days ago; returns how many."""
    gone = session.execute(
        WebhookDelivery.__table__.delete()  # type: ignore[attr-defined]
        .where(WebhookDelivery.settled_at < now - KEPT)
        .returning(WebhookDelivery.id)
    )
    return len(gone.all())


@dataclass(frozen=True, slots=True)
class Courier:
    """Delivers what is due. No transaction is open while another system is spoken to."""

    database: Database
    vault: Vault
    clock: Callable[[], datetime]
    loopback: bool

    def deliver(self) -> dict[str, int]:
        """Everything due, for a turn; safe to run from many workers at once."""
        done = {"delivered": 0, "failed": 0}
        silent: set[int] = set()
        until = self.clock() + TURN
        with ThreadPoolExecutor(THREADS, thread_name_prefix="webhook") as threads:
            while self.clock() < until:
                parcels = self._claim(silent)
                if not parcels:
                    break
                outcomes: Sequence[str | None] = list(threads.map(self._send, parcels))
                for parcel, outcome in zip(parcels, outcomes, strict=True):
                    with self.database.transaction() as session:
                        record_outcome(session, parcel, outcome, self.clock())
                    done["delivered" if outcome is None else "failed"] += 1
                    if outcome is not None:
                        silent.add(parcel.webhook_id)
        return done

    def _claim(self, silent: Collection[int]) -> list[Parcel]:
        with self.database.transaction() as session:
            return claim_deliveries(session, self.clock(), PER_BATCH, silent)

    def _send(self, parcel: Parcel) -> str | None:
        """None when it was accepted, else why not."""
        try:
            target: Target = read_url(parcel.url, loopback=self.loopback)
            secret = self.vault.open(parcel.secret_sealed)
            body, headers = sign(parcel.body, parcel.number, secret, self.clock())
            post(target, body, headers)
        except Refused as error:
            return str(error)
        except InvalidInput as error:
            return error.reason
        except Exception as error:
            # Whatever it is, the others of the batch were sent: were it let out, none would be
            # written down, and all would be sent again and again.
            log.exception("webhook_not_sent", delivery=parcel.number, webhook=parcel.webhook_name)
            return f"failed here: {type(error).__name__}"
        return None
