"""Links to owners' pages. A link names a bill or a home; it does not open it.

The token is signed so that nobody can walk through other people's numbers; who may see what is
decided when the page is opened.
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from itsdangerous import BadSignature, Signer, URLSafeSerializer

from billing.rating_tables import RatedKind

OPENED = "m"
"""Part of the query of our links in messages: which message this was."""


@dataclass(frozen=True, slots=True)
class HomeRef:
    """A home, named by a link."""

    community_id: int
    unit_id: int


@dataclass(frozen=True, slots=True)
class BillRef:
    """An issued bill, named by a link."""

    community_id: int
    bill_id: int


@dataclass(frozen=True, slots=True)
class FapiaoRef:
    """A fapiao, named by a link."""

    community_id: int
    fapiao_id: int


@dataclass(frozen=True, slots=True)
class BroadcastRef:
    """A broadcast, named by a link."""

    community_id: int
    broadcast_id: int


@dataclass(frozen=True, slots=True)
class RatedRef:
    """Something to rate, named by a link.

    Attributes:
        subject_id: the payment, or the ticket.
    """

    community_id: int
    kind: RatedKind
    subject_id: int


@dataclass(frozen=True, slots=True)
class ArrearsRef:
    """A list of arrears, named by a link that opens for one member of staff.

    Attributes:
        asked: place, fees and months, as `audiences.Audience` is written.
        at_least_fen: only homes that owe so much.
    """

    community_id: int
    staff_id: int
    asked: str
    at_least_fen: int


@dataclass(frozen=True, slots=True)
class MessageRef:
    """A message, named by the links in it."""

    community_id: int
    message_id: int


class Links:
    """Makes and reads links under `<base_url>/o/`."""

    def __init__(self, base_url: str, secret_key: str) -> None:
        self.base_url = base_url
        self._signer = URLSafeSerializer(secret_key, salt="owner-links")
        self._message_signer = Signer(secret_key, salt="opened-message")

    def carrying(self, url: str, ref: MessageRef) -> str:
        """A link of ours as it stands in a message: opening it says that the message was read."""
        named = self._message_signer.sign(f"{ref.community_id}-{ref.message_id}").decode()
        return f"{url}{'&' if '?' in url else '?'}{OPENED}={named}"

    def read_message(self, named: str) -> MessageRef | None:
        """The message a link was in, or None for a value we did not make."""
        try:
            community_id, message_id = self._message_signer.unsign(named).decode().split("-")
        except (BadSignature, ValueError):
            return None
        return MessageRef(int(community_id), int(message_id))

    def home_token(self, ref: HomeRef) -> str:
        """Token naming a home."""
        return self._sign("h", ref.community_id, ref.unit_id)

    def bill_token(self, ref: BillRef) -> str:
        """Token naming a bill."""
        return self._sign("b", ref.community_id, ref.bill_id)

    def home_url(self, ref: HomeRef, **wanted: str) -> str:
        """Page of a home: what is owed, with the form to pay it.

        Args:
            wanted: how the form begins: `period`, months as in a sentence's slot, `amount` in yuan.
        """
        query = f"?{urlencode(wanted)}" if wanted else ""
        return f"{self.base_url}/o/home/{self.home_token(ref)}{query}"

    def bill_url(self, ref: BillRef) -> str:
        """Page of one bill with every line and its arithmetic."""
        return f"{self.base_url}/o/bill/{self.bill_token(ref)}"

    def scan_url(self, ref: HomeRef) -> str:
        """Page on which anybody may pay for a home, wherever he opens it; for codes to scan."""
        return f"{self.base_url}/o/scan/{self.home_token(ref)}"

    def prepayment_url(self, ref: HomeRef) -> str:
        """What a home has with us, with the form to pay more in."""
        return f"{self.base_url}/o/prepayment/{self.home_token(ref)}"

    def find_url(self) -> str:
        """Page on which somebody else's home is found, to pay for it."""
        return f"{self.base_url}/o/find"

    def history_url(self, ref: HomeRef) -> str:
        """Past bills and payments of a home."""
        return f"{self.base_url}/o/history/{self.home_token(ref)}"

    def tariffs_url(self, ref: HomeRef) -> str:
        """Fee standards of the home's community."""
        return f"{self.base_url}/o/tariffs/{self.home_token(ref)}"

    def fapiao_token(self, ref: FapiaoRef) -> str:
        """Token naming a fapiao."""
        return self._sign("f", ref.community_id, ref.fapiao_id)

    def fapiao_url(self, ref: FapiaoRef) -> str:
        """Page of a fapiao, with its file."""
        return f"{self.base_url}/o/fapiao/{self.fapiao_token(ref)}"

    def broadcast_url(self, ref: BroadcastRef) -> str:
        """Page with all words of a broadcast."""
        token = self._sign("n", ref.community_id, ref.broadcast_id)
        return f"{self.base_url}/o/notice/{token}"

    def read_broadcast(self, token: str) -> BroadcastRef | None:
        """The broadcast a token names, or None for a token we did not make."""
        ids = self._read("n", token)
        return BroadcastRef(*ids) if ids else None

    def rated_token(self, ref: RatedRef) -> str:
        """Token naming something to rate."""
        return self._sign(f"r-{ref.kind.value}", ref.community_id, ref.subject_id)

    def rating_url(self, ref: RatedRef) -> str:
        """Page of a thing that was done, with a form to rate it."""
        return f"{self.base_url}/o/rate/{self.rated_token(ref)}"

    def read_rated(self, token: str) -> RatedRef | None:
        """The thing a token names, or None for a token we did not make."""
        for kind in RatedKind:
            ids = self._read(f"r-{kind.value}", token)
            if ids is not None:
                return RatedRef(ids[0], kind, ids[1])
        return None

    def arrears_url(self, ref: ArrearsRef) -> str:
        """The whole list of arrears, for the member of staff who asked for it."""
        named = ["a", ref.community_id, ref.staff_id, ref.asked, ref.at_least_fen]
        return f"{self.base_url}/o/arrears/{self._signer.dumps(named)}"

    def read_arrears(self, token: str) -> ArrearsRef | None:
        """The list a token names, or None for a token we did not make."""
        try:
            kind, community_id, staff_id, asked, at_least_fen = self._signer.loads(token)
        except (BadSignature, TypeError, ValueError):
            return None
        if kind != "a":
            return None
        return ArrearsRef(community_id, staff_id, asked, at_least_fen)

    def read_home(self, token: str) -> HomeRef | None:
        """The home a token names, or None for a token we did not make."""
        ids = self._read("h", token)
        return HomeRef(*ids) if ids else None

    def read_bill(self, token: str) -> BillRef | None:
        """The bill a token names, or None for a token we did not make."""
        ids = self._read("b", token)
        return BillRef(*ids) if ids else None

    def read_fapiao(self, token: str) -> FapiaoRef | None:
        """The fapiao a token names, or None for a token we did not make."""
        ids = self._read("f", token)
        return FapiaoRef(*ids) if ids else None

    def _sign(self, kind: str, community_id: int, local_id: int) -> str:
        return str(self._signer.dumps([kind, community_id, local_id]))

    def _read(self, kind: str, token: str) -> tuple[int, int] | None:
        try:
            found, community_id, local_id = self._signer.loads(token)
        except (BadSignature, TypeError, ValueError):
            return None
        return (community_id, local_id) if found == kind else None
