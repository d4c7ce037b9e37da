"""提醒设置: hour, habit, pause, off and on; always answered with what is in force now."""

from dataclasses import replace
from datetime import date

from handlers.chat.context import Chat, Reply
from notify.habits import switch_owner
from notify.preferences import Preference, find_preference, keep_preference
from notify.quiet_hours import DAY_BEGINS, DAY_ENDS


def settings(chat: Chat) -> Reply:
    """Set what the sentence names; one that only asks changes nothing."""
    chosen = find_preference(chat.session, chat.follower.id)
    wanted = _wanted(chat, chosen)
    too_early = wanted.hour is not None and not DAY_BEGINS.hour <= wanted.hour < DAY_ENDS.hour
    if too_early:
        return chat.say("reminders/hour", hour=wanted.hour, begins=DAY_BEGINS, ends=DAY_ENDS)
    if wanted.by_habit != chosen.by_habit:
        switch_owner(chat.session, chat.follower.id, chat.now, on=wanted.by_habit)
    elif wanted != chosen:
        keep_preference(chat.session, chat.follower.id, wanted, chat.now)
    paused = wanted.paused_until is not None and wanted.paused_until > chat.today
    return chat.say("reminders/settings", changed=wanted != chosen, wanted=wanted, paused=paused)


def _wanted(chat: Chat, chosen: Preference) -> Preference:
    slots = chat.slots
    if "habit" in slots:
        return replace(chosen, by_habit=slots["habit"] == "yes")
    if "paused_until" in slots:
        return replace(chosen, paused_until=date.fromisoformat(slots["paused_until"]))
    if "hour" in slots:
        return replace(chosen, hour=int(slots["hour"]), is_off=False)
    if "off" in slots:
        return replace(chosen, is_off=True)
    return replace(chosen, is_off=False, paused_until=None) if "on" in slots else chosen
