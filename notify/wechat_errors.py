"""What WeChat's error codes mean for a message: one table, code → action.

Rules: developers.weixin.qq.com, global return codes; template and customer-service message pages.
"""

from enum import Enum


class Action(Enum):
    """What to do after WeChat refused a call."""

    RETRY = "retry"
    """Busy or unknown: the same call again, later, with growing pauses."""

    TOO_OFTEN = "too_often"
    """This person had too many: the same call hours later."""

    PAUSE = "pause"
    """Quota of the minute used up: nobody sends for a minute."""

    PAUSE_DAY = "pause_day"
    """Quota of the day used up: nobody sends until midnight in Beijing; staff are alerted."""

    REFRESH_TOKEN = "refresh_token"  # noqa: S105  # an action, not a secret
    """Token refused. `WeChat` replaces it once; anybody else sees this when that did not help."""

    STOP = "stop"
    """The account is misconfigured or banned: nobody sends; staff are alerted."""

    STOP_TEMPLATE = "stop_template"
    """This template is wrong or banned: nobody sends it; staff are alerted."""

    NOT_FOLLOWING = "not_following"
    """The person does not follow the account any more."""

    NEXT_TRANSPORT = "next_transport"
    """Not possible this way to this person now: another transport may do."""

    ALREADY_SENT = "already_sent"
    """WeChat has it: nothing more to do."""

    GIVE_UP = "give_up"
    """Will fail in the same way for ever."""


ACTIONS: dict[int, Action] = {
    -1: Action.RETRY,
    40001: Action.REFRESH_TOKEN,
    40014: Action.REFRESH_TOKEN,
    42001: Action.REFRESH_TOKEN,
    40013: Action.STOP,  # app id
    40125: Action.STOP,  # app secret
    40164: Action.STOP,  # address not on the white list
    41002: Action.STOP,  # app id missing
    41004: Action.STOP,  # app secret missing
    45109: Action.STOP,  # interface withdrawn
    48001: Action.STOP,  # interface not granted
    48004: Action.STOP,  # interface banned
    61004: Action.STOP,  # address not registered
    61007: Action.STOP,  # third-party permission
    40003: Action.GIVE_UP,  # openid of another account
    50002: Action.GIVE_UP,  # person frozen
    47001: Action.NEXT_TRANSPORT,  # our JSON: never again unchanged, but another form may do
    47003: Action.NEXT_TRANSPORT,  # our field value
    45028: Action.GIVE_UP,  # no mass quota
    45067: Action.GIVE_UP,  # client_msg_id too long
    40036: Action.STOP_TEMPLATE,  # template id has the wrong length
    40037: Action.STOP_TEMPLATE,  # template id unknown
    41030: Action.STOP_TEMPLATE,  # page path
    43116: Action.STOP_TEMPLATE,  # template banned
    43004: Action.NOT_FOLLOWING,
    43101: Action.NEXT_TRANSPORT,  # the person refuses, or no consent is left
    45015: Action.NEXT_TRANSPORT,  # 48-hour window closed
    45047: Action.NEXT_TRANSPORT,  # answers of the window used up
    43117: Action.TOO_OFTEN,
    45009: Action.PAUSE_DAY,
    45011: Action.PAUSE,
    40241: Action.ALREADY_SENT,  # same message within 60 seconds
    45065: Action.ALREADY_SENT,  # client_msg_id seen
}


MEANINGS: dict[int, str] = {
    -1: "WeChat is busy; try again",
    40003: "WeChat knows nobody with this openid: it belongs to another account, or is mistyped",
    40036: "the template id has the wrong length",
    40037: "the account has no such template: it was deleted, or belongs to another account",
    41030: "the page the message leads to is not allowed",
    43004: "the person does not follow the account",
    43101: "the person refused, or no consent of his is left",
    43116: "the template is banned",
    43117: "this person got too many; try again in some hours",
    45009: "the quota of the day is used up",
    45011: "the quota of the minute is used up",
    45015: "he wrote more than 48 hours ago",
    45047: "all answers to what he wrote are used up",
    47001: "the message is malformed",
    47003: "a value does not fit its field; errmsg names it",
    40013: "WECHAT_APP_ID is wrong",
    40125: "WECHAT_APP_SECRET is wrong",
    40164: "the address of this server is not on the account's white list of IP addresses",
    48001: "the account has no leave to use this interface",
    48004: "the interface is banned for the account",
    50002: "the person is frozen",
    61004: "the address of this server is not registered",
}
"""What a code means, for people who set the account up."""

BY_ACTION: dict[Action, str] = {
    Action.REFRESH_TOKEN: "the access token is refused, twice; is another program fetching it?",
    Action.STOP: "the account is misconfigured or banned",
}


def meaning(errcode: int) -> str:
    """What an error code means, in a sentence."""
    known = MEANINGS.get(errcode) or BY_ACTION.get(action_for(errcode))
    return known or "see WeChat's list of global return codes"


def action_for(errcode: int) -> Action:
    """The action for a code; one we do not know is tried again, a bounded number of times."""
    return ACTIONS.get(errcode, Action.RETRY)


class WeChatError(Exception):
    """WeChat answered with an error code. The message holds neither token nor openid."""

    def __init__(self, errcode: int, errmsg: str) -> None:
        super().__init__(f"{errcode} {errmsg}")
        self.errcode = errcode
        self.errmsg = errmsg
        self.action = action_for(errcode)


class WeChatUnreachable(Exception):
    """No usable answer. `maybe_done`: the call may have been carried out all the same."""

    def __init__(self, reason: str, *, maybe_done: bool) -> None:
        super().__init__(reason)
        self.maybe_done = maybe_done
