"""收费标准: what the community charges for, at which price, on which ground (明码标价)."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import or_, select

from billing.tariffs import ChargeItem, Tariff
from handlers.chat.context import Chat, Reply, ref_of
from handlers.chat.scope import homes_meant, one_home


@dataclass(frozen=True, slots=True)
class Standard:
    """One charge item at its price in force."""

    item: ChargeItem
    price: dict[str, Any]
    effective_from: date


def tariff(chat: Chat) -> Reply:
    """Prices in force today in the community of the home meant; the page says on which ground."""
    home = one_home(chat) or homes_meant(chat)[0]
    return chat.say_list(
        "tariff",
        _in_force(chat, home.community_id),
        home=ref_of(home),
        room=home,
        url=chat.services.links.tariffs_url(ref_of(home)),
    )


def _in_force(chat: Chat, community_id: int) -> list[Standard]:
    """Each item still charged with its latest version that has begun, in the order of the items."""
    rows = chat.session.execute(
        select(ChargeItem, Tariff)
        .join(
            Tariff,
            (Tariff.community_id == ChargeItem.community_id) & (Tariff.item_id == ChargeItem.id),
        )
        .where(
            ChargeItem.community_id == community_id,
            ChargeItem.active_from <= chat.today,
            or_(ChargeItem.active_to.is_(None), ChargeItem.active_to > chat.today),
            Tariff.effective_from <= chat.today,
        )
        .order_by(ChargeItem.id, Tariff.effective_from)
    )
    latest = {
        item.id: Standard(item, version.price, version.effective_from) for item, version in rows
    }
    return list(latest.values())
