"""What a chat handler is given and what it answers. Knows nothing of the wire.

A handler is a function `Chat -> Reply`. It runs inside the transaction the dispatcher opened, says
what it has to say through a template, and never calls WeChat or a payment provider.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from billing.business_day import business_date
from billing.homes import Home
from billing.labels import LabelEnum
from billing.people import Follower, Staff
from handlers.chat.topics import Topic
from handlers.heard import Said
from handlers.services import Services
from notify.links import HomeRef

REPLY_BYTES_MAX = 2048
"""WeChat's limit for the text of a passive reply and of a service message, UTF-8."""


class QuestionKind(LabelEnum):
    """A question that waits for a yes; the label is the word that says it. Of
    `RATING` the answer is one of three words, and the label only names it.
    """

    SIGN_IN = "sign_in", "确认登录"
    BIND = "bind", "确认绑定"
    UNBIND = "unbind", "确认解绑"
    FAPIAO = "fapiao", "确认开票"
    MEANT = "meant", "是的"
    DISPUTE = "dispute", "提交异议"
    BROADCAST = "broadcast", "确认群发"
    BROADCAST_DRAFT = "broadcast_draft", "写好了"
    RATING = "rating", "评价"


FORMS = frozenset({QuestionKind.FAPIAO, QuestionKind.BROADCAST_DRAFT})
"""Questions that also take any other sentence as an answer; a command by its exact word leaves
them.
"""


class Agreement(LabelEnum):
    """Other words that say yes to a guess of ours (`QuestionKind.MEANT`). What changes something
    takes the label of its question, word by word.
    """

    YES = "yes", "是"
    RIGHT = "right", "对"
    RIGHT_AT_ALL = "right_at_all", "对的"
    GOOD = "good", "好"
    GOOD_AT_ALL = "good_at_all", "好的"
    HUM = "hum", "嗯"
    HUM_HUM = "hum_hum", "嗯嗯"
    FINE = "fine", "可以"


class Refusal(LabelEnum):
    """Words that say no to whatever was asked."""

    CANCEL = "cancel", "取消"
    NO = "no", "不"
    NOT_SO = "not_so", "不是"
    NEVER_MIND = "never_mind", "算了"
    LEAVE = "leave", "退出"
    NO_NEED = "no_need", "不用了"
    REFUSE = "refuse", "拒绝"
    NOT_ME = "not_me", "不是我"


class Objection(LabelEnum):
    """Words that say that our answer was not to what was asked."""

    WRONG = "wrong", "理解错了"
    YOU_WRONG = "you_wrong", "你理解错了"
    NOT_MEANT = "not_meant", "不是这个意思"
    NOT_ASKED = "not_asked", "不是问这个"
    I_NOT_ASKED = "i_not_asked", "我不是问这个"
    NOT_HEARD = "not_heard", "没听懂"
    YOU_NOT_HEARD = "you_not_heard", "你没听懂"
    BESIDE = "beside", "答非所问"


LEAVING = frozenset({Refusal.CANCEL, Refusal.NEVER_MIND, Refusal.LEAVE, Refusal.NO_NEED})
"""Those that also leave what nothing was asked about."""


@dataclass(frozen=True, slots=True)
class Push:
    """One message or event of one follower, as the dispatcher needs it.

    Attributes:
        kind: `text`, `voice`, `image`, … or `event.<name>`, in lower case.
        text: what the person wrote, or said if WeChat recognised it; else empty.
        key: menu key of a click, scene of a QR code; else empty.
        msgid: WeChat's number of a template message whose delivery ended; else empty.
        status: how that delivery ended; else empty.
        details: what an event about subscription notices says of each template; else empty.
    """

    kind: str
    openid: str
    text: str = ""
    key: str = ""
    msgid: str = ""
    status: str = ""
    details: tuple[Mapping[str, str], ...] = ()

    @property
    def is_event(self) -> bool:
        """An event, not a message a person sent."""
        return self.kind.startswith("event.")


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked and what the yes will need, as plain JSON values."""

    kind: QuestionKind
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered of a conversation.

    Attributes:
        home: the home last talked about.
        question: the question that waits.
        topic: what was asked for last, with `slots`: a sentence that only names another month,
            room or fee asks for the same again (那上个月呢; 不是，是5栋).
        choices: sentences the follower was offered, who may send their number instead.
        said: his sentence before, unless it was a command or an answer.
        community_id: the community a member of staff last asked about.
    """

    home: HomeRef | None = None
    question: Question | None = None
    topic: Topic | None = None
    slots: Mapping[str, Any] = field(default_factory=dict)
    choices: tuple[str, ...] = ()
    said: Said | None = None
    community_id: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. An empty text says nothing.

    Attributes:
        home: the home it was about, remembered for the next sentence; None keeps the one before.
        question: what the next sentence may answer; None means nothing is open any more.
        choices: sentences offered to be tapped, or chosen by number.
        transfer: hand the message over to WeChat's customer service; the text is then said only
            where that is no longer possible, because it is late.
        community_id: the community staff were told about, remembered as `home` is.
    """

    text: str
    home: HomeRef | None = None
    question: Question | None = None
    choices: tuple[str, ...] = ()
    transfer: bool = False
    community_id: int | None = None


SILENCE = Reply("")


@dataclass(frozen=True, slots=True)
class Readers:
    """What `bot.understanding` reads on demand, where slots must not carry it: slots are remembered
    as they are, and personal data is not.

    Attributes:
        plain: the sentence simplified, in plain forms.
        room: the one canonical room number in a text.
        person: the one name and telephone number.
        message: an order to send something, and the words to be sent if they can be told from it.
        order: the slots of such an order, by the business date.
    """

    plain: Callable[[str], str]
    room: Callable[[str], str | None]
    person: Callable[[str], tuple[str, str] | None]
    message: Callable[[str], tuple[str, str | None]]
    order: Callable[[str, date], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Chat:
    """One sentence of one follower, with everything a handler may use to answer it.

    Attributes:
        homes: every home the follower may act for.
        readers: how to read more of a sentence.
        topic: what was understood, also when it is too uncertain to act on.
        slots: room, period, amount, fee, audience, as `bot.understanding` reads them.
        staff: the member of staff the follower is, if he is one.
    """

    session: Session
    services: Services
    follower: Follower
    homes: Sequence[Home]
    push: Push
    memory: Memory
    now: datetime
    readers: Readers
    topic: Topic | None = None
    slots: Mapping[str, Any] = field(default_factory=dict)
    staff: Staff | None = None

    @property
    def today(self) -> date:
        """The business date of `now`."""
        return business_date(self.now)

    def say(
        self,
        template: str,
        *,
        home: HomeRef | None = None,
        question: Question | None = None,
        choices: Sequence[str] = (),
        **words: Any,
    ) -> Reply:
        """Reply with `templates/chat/<template>.txt`; the template gets the `choices` too."""
        words |= {"choices": choices}
        return Reply(self._render(template, words), home, question, tuple(choices))

    def say_list(
        self, template: str, items: Sequence[Any], *, home: HomeRef | None = None, **words: Any
    ) -> Reply:
        """Reply with a list, as much of it as WeChat takes.

        The template gets `items` and `left_out`, the number it must say is missing.
        """
        text = ""
        for shown in range(len(items), -1, -1):
            words |= {"items": items[:shown], "left_out": len(items) - shown}
            text = self._render(template, words)
            if len(text.encode()) <= REPLY_BYTES_MAX:
                break
        return Reply(text, home)

    def _render(self, template: str, words: Mapping[str, Any]) -> str:
        page = self.services.text.get_template(f"chat/{template}.txt")
        return page.render(words, is_staff=self.staff is not None).strip()


def ref_of(home: Home) -> HomeRef:
    """The reference a link to this home carries."""
    return HomeRef(home.community_id, home.unit_id)
