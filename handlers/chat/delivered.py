"""What WeChat tells about our messages: what became of them, and who agreed to which. Nobody waits
for an answer.
"""

from handlers.chat.context import SILENCE, Chat, Reply
from notify.consents import Answer, note_answers
from notify.reports import SubscriptionReport, record_result, record_subscription

ACCEPTED = "accept"
NO_ERROR = "0"


def finished(chat: Chat) -> Reply:
    """Write down how the delivery ended; the same event twice changes nothing twice."""
    record_result(chat.session, chat.push.msgid, chat.push.status, chat.now)
    return SILENCE


def subscribed(chat: Chat) -> Reply:
    """The pop-up was answered, or the settings were changed: count consents."""
    answers = [
        Answer(detail["TemplateId"], detail.get("SubscribeStatusString") == ACCEPTED)
        for detail in chat.push.details
        if detail.get("TemplateId")
    ]
    note_answers(chat.session, chat.follower.id, answers, chat.now)
    return SILENCE


def subscription_sent(chat: Chat) -> Reply:
    """Write down what became of subscription notices; the same event twice changes nothing."""
    for detail in chat.push.details:
        is_sent = detail.get("ErrorCode") == NO_ERROR
        status = "success" if is_sent else f"failed: {detail.get('ErrorStatus', '')}"
        report = SubscriptionReport(detail.get("TemplateId", ""), detail.get("MsgID", ""), status)
        record_subscription(chat.session, chat.follower.id, report, chat.now)
    return SILENCE
