"""A trial message to one person: sample words, the true transport, no trace in the outbox."""

import secrets
from dataclasses import dataclass

from billing.errors import Conflict, InvalidInput
from notify.approved import Approved
from notify.catalog import NOTICES, NoticeKind, Transport
from notify.fields import fit
from notify.render import sms_wording
from notify.sms import SmsLine, SmsRefused, SmsUnreachable, fill
from notify.template_setting import offered_words, samples
from notify.wechat import WeChat, WeChatError, WeChatUnreachable
from notify.wechat_errors import meaning
from notify.wording import text_environment


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of a trial.

    Attributes:
        code: of the refusal, WeChat's or the provider's; None when it was accepted.
        means: the refusal in plain words.
    """

    transport: Transport
    is_accepted: bool
    shown: dict[str, str]
    code: str | None = None
    answer: str | None = None
    means: str | None = None


def send_trial(
    wechat: WeChat,
    sms: SmsLine | None,
    approved: Approved,
    kind: NoticeKind,
    transport: Transport,
    to: str,
) -> Trial:
    """Send a kind with sample words. Sends again when called again.

    Args:
        to: an openid; of an SMS a number.

    Raises:
        InvalidInput: a transport the kind cannot take.
        Conflict: nothing is approved for it, or there is no provider of SMS.
    """
    if transport not in NOTICES[kind].transports:
        there = ", ".join(one.value for one in NOTICES[kind].transports)
        raise InvalidInput("transport", f"{kind.value} does not go by {transport.value}: {there}")
    template = approved.template(kind, transport)
    if transport is not Transport.SERVICE and template is None:
        raise Conflict(
            f"no template of {kind.value} is approved for {transport.value}; set one with"
            " `mingzhang template set`"
        )
    words = {word: samples()[word] for word in offered_words(kind)}
    names = template["fields"] if template else {}
    shown = {field: fit(field, words[word]) for field, word in names.items() if word in words}
    template_id = template["template_id"] if template else ""
    try:
        if transport is Transport.SMS:
            shown = _send_sms(sms, kind, template_id, words, to)
        elif transport is Transport.SERVICE:
            page = text_environment().get_template("notices/_test.txt")
            shown = words
            wechat.send_text(to, page.render(label=kind.label, words=words).strip())
        elif transport is Transport.SUBSCRIBE:
            wechat.send_subscription(to, template_id, None, shown)
        else:
            wechat.send_template(to, template_id, None, shown, secrets.token_hex(16))
    except WeChatError as error:
        code, said = str(error.errcode), error.errmsg
        return Trial(transport, False, shown, code, said, meaning(error.errcode))
    except SmsRefused as error:
        return Trial(transport, False, shown, str(error).partition(" ")[0], str(error))
    except (WeChatUnreachable, SmsUnreachable) as error:
        return Trial(transport, False, shown, None, str(error), "there was no usable answer")
    return Trial(transport, True, shown)


def _send_sms(
    sms: SmsLine | None, kind: NoticeKind, code: str, words: dict[str, str], phone: str
) -> dict[str, str]:
    if sms is None:
        raise Conflict("there is no provider of SMS: set ALIYUN_SMS")
    values, _ = fill(sms_wording(kind.value, text_environment()), words)
    sms.sender.send(phone, code, values, secrets.token_hex(16))
    return values
