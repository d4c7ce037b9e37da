"""The form by which somebody says in one tap how it was, wherever it is shown."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from billing.business_day import business_date
from billing.errors import NotFound
from billing.payment_tables import Payment
from billing.rating_tables import RatedKind, Score
from billing.ratings import WORDS_CHARACTERS_MAX, Rateable, find_rateable, find_rating
from handlers.services import Services
from notify.links import RatedRef


@dataclass(frozen=True, slots=True)
class Panel:
    """What a page shows of a rating.

    Attributes:
        token: names the thing.
        score: what the viewer said; None before he did.
        words: what he added, as it stands in the form.
        rated_on: the day he said it.
        is_open: whether he may say it, or change it.
        is_too_long: whether the words were not accepted.
    """

    token: str
    score: Score | None
    words: str
    rated_on: date | None
    is_open: bool
    is_too_long: bool = False
    scores: tuple[Score, ...] = tuple(Score)
    words_max: int = WORDS_CHARACTERS_MAX


def payment_panel(
    session: Session, services: Services, payment: Payment, follower_id: int | None
) -> Panel | None:
    """The form under a receipt; None for a browser we do not know, and where no money came."""
    if follower_id is None:
        return None
    try:
        thing = find_rateable(session, payment.community_id, RatedKind.RECEIPT, payment.id)
    except NotFound:
        return None
    return thing_panel(session, services, thing, follower_id)


def thing_panel(session: Session, services: Services, thing: Rateable, follower_id: int) -> Panel:
    """The form for a thing that was done for a follower, with what he said of it."""
    rating = find_rating(session, thing, follower_id)
    sealed = rating.words_sealed if rating else None
    return Panel(
        services.links.rated_token(RatedRef(thing.community_id, thing.kind, thing.subject_id)),
        rating.score if rating else None,
        services.vault.open(sealed) if sealed else "",
        rating.rated_on if rating else None,
        rating is None or rating.rated_on == business_date(services.clock()),
    )
