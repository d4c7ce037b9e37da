"""`mingzhang timing`: what was learned of the hour of reminders, and whether it is used."""

from datetime import timedelta
from typing import Any

import click

from billing.business_day import business_date
from bot.cli.installation import Books, open_books, print_json
from bot.cli.options import community_option
from notify.habits import (
    Habit,
    Hour,
    community_hours,
    forget_community,
    forget_owner,
    list_bound,
    list_habits,
    switch_community,
    switch_owner,
)
from notify.rung_effects import RungEffect, list_rung_effects
from notify.timing_tables import CommunityTiming
from notify.wording import text_environment

RUNGS_DAYS = 180


@click.group()
def timing() -> None:
    """When owners are reminded, as learned from what they open and pay (提醒时间)."""


room_option = click.option("--room", help="Only the followers bound to this home.")


@timing.command()
@community_option
@room_option
def show(code: str, room: str | None) -> None:
    """The hours and why; of a community also its wordings, and what every rung adds."""
    with open_books(code) as books:
        result = _community(books) if room is None else _home(books, room)
    print_json(result)


@timing.command()
@community_option
@room_option
def reset(code: str, room: str | None) -> None:
    """Forget what was learned and begin anew."""
    with open_books(code) as books:
        if room is None:
            forget_community(books.session, books.community_id, books.now)
        else:
            for follower_id in _bound(books, room):
                forget_owner(books.session, books.community_id, follower_id, books.now)
    print_json({"community": code, "room": room, "reset": True})


@timing.command()
@community_option
@room_option
def off(code: str, room: str | None) -> None:
    """Remind as soon as it is allowed; of a home, what was learned is forgotten."""
    _switch(code, room, on=False)


@timing.command()
@community_option
@room_option
def on(code: str, room: str | None) -> None:
    """Remind at the hours learned."""
    _switch(code, room, on=True)


def _switch(code: str, room: str | None, *, on: bool) -> None:
    with open_books(code) as books:
        if room is None:
            switch_community(books.session, books.community_id, books.now, on=on)
        else:
            for follower_id in _bound(books, room):
                switch_owner(books.session, follower_id, books.now, on=on)
    print_json({"community": code, "room": room, "on": on})


def _bound(books: Books, room: str) -> list[int]:
    return list_bound(books.session, books.community_id, books.unit(room).id)


def _community(books: Books) -> dict[str, Any]:
    known = books.session.get(CommunityTiming, books.community_id)
    today = business_date(books.now)
    effects = list_rung_effects(
        books.session, books.community_id, today - timedelta(days=RUNGS_DAYS)
    )
    hours = community_hours(known) if known else None
    return {
        "community": books.community.code,
        "on": known is None or known.is_on,
        "counted_to": known.counted_to if known else None,
        "newcomers": [_hour(hour) for hour in hours] if hours else None,
        "wordings": known.wordings if known else {},
        "rungs": [_rung(effect) for effect in effects],
    }


def _home(books: Books, room: str) -> dict[str, Any]:
    habits = list_habits(books.session, books.community_id, _bound(books, room))
    return {"room": room, "followers": [_follower(habit) for habit in habits]}


def _follower(habit: Habit) -> dict[str, Any]:
    return {
        "follower": habit.follower_id,
        "on": habit.preference.by_habit,
        "chosen_hour": habit.preference.hour,
        "weekday": _hour(habit.weekday) if habit.weekday else None,
        "weekend": _hour(habit.weekend) if habit.weekend else None,
        "trial": habit.trial._asdict() if habit.trial else None,
    }


def _hour(hour: Hour) -> dict[str, Any]:
    return {
        "hour": hour.slot.hour,
        "sent": hour.sent,
        "reacted": hour.reacted,
        "why": hour.why(text_environment()),
    }


def _rung(one: RungEffect) -> dict[str, Any]:
    return {
        "rung": one.code,
        "told": one.told,
        "told_paid": one.told_paid,
        "untold": one.untold,
        "untold_paid": one.untold_paid,
        "added": None if one.added is None else round(one.added, 3),
        "effect": one.effect.value,
        "label": one.effect.label,
    }
