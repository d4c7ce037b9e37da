"""What a page declines. The sentences are in `templates/pages/refused.html` and `parts.html`."""

from enum import Enum


class Refusal(Enum):
    """Why there is no page to show: its name in `refused.html`, and the HTTP status."""

    BROKEN_LINK = "broken_link", 404
    NOT_YOURS = "not_yours", 403
    NOT_OUR_RECEIPT = "not_our_receipt", 404
    SIGN_IN_AGAIN = "sign_in_again", 403
    SIGN_IN_STALE = "sign_in_stale", 400
    SIGN_IN_AWAY = "sign_in_away", 503
    SNAPSHOT = "snapshot", 403
    WECHAT_SILENT = "wechat_silent", 503
    FORM_STALE = "form_stale", 400
    NOT_YOUR_LIST = "not_your_list", 403
    NOT_YOUR_NOTICE = "not_your_notice", 403
    OWNER_ONLY = "owner_only", 403
    NOT_COLLECTING = "not_collecting", 503
    ORDER_REFUSED = "order_refused", 409
    BEING_PAID = "being_paid", 409
    SUPERSEDED = "superseded", 409

    def __init__(self, key: str, status: int) -> None:
        self.key = key
        self.status = status


class Refused(Exception):
    """Shown as a kind page instead of the one asked for; `back` is where the person can go on."""

    def __init__(self, refusal: Refusal, back: str | None = None) -> None:
        super().__init__(refusal.key)
        self.refusal = refusal
        self.back = back


class Objection(Enum):
    """Why a payment form is shown again: its name in the macro `objection` of `parts.html`."""

    NOTHING_CHOSEN = "nothing_chosen"
    NOT_A_NUMBER = "not_a_number"
    NOT_POSITIVE = "not_positive"
    TOO_FINE = "too_fine"
    TOO_MUCH = "too_much"
    TOO_MUCH_PREPAID = "too_much_prepaid"
    NO_AMOUNT = "no_amount"
    CHANGED = "changed"
    ORDERED_OTHERWISE = "ordered_otherwise"
    WAY_GONE = "way_gone"


class Objected(Exception):
    """The payment form cannot be accepted as it is; nothing was written."""

    def __init__(self, objection: Objection) -> None:
        super().__init__(objection.value)
        self.objection = objection
