"""Other systems are told of changes: signed, at least once, for a day, never in our own network."""

import hashlib
import hmac
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from sqlalchemy import select, text

from billing.alerts import EVERY_COMMUNITY, Alert, AlertKind
from billing.errors import Conflict, InvalidInput
from billing.facts import Fact, FactKind, record
from billing.money import Money
from billing.privacy import Vault
from notify.intake import take_facts
from notify.webhook_post import Refused, may_be_called, post, read_url
from notify.webhook_tables import DeliveryState, WebhookDelivery
from notify.webhooks import (
    LEASE,
    TRIED_FOR,
    Courier,
    add_webhook,
    claim_deliveries,
    end_webhook,
    forget_deliveries,
    get_webhook,
    record_outcome,
    replay,
)
from tests.conftest import NOW, World

SECRET = "a secret of sixteen characters and more"


class Receiver:
    """Another system: what it got, and what it answers."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((dict(self.headers), body))
                status = receiver.answers.pop(0) if receiver.answers else 204
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_words: object) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?a=1"
        self._thread = Thread(target=self.server.serve_forever, args=(0.01,))
        self._thread.start()

    def speak_tls(self, certificate: Path, key: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://localhost:{self.server.server_port}/"

    def close(self) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def other_receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def write_certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """Of this host, signed by itself; returns it and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    own = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    began = datetime.now(UTC) - timedelta(days=1)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(own.public_key())
        .serial_number(1)
        .not_valid_before(began)
        .not_valid_after(began + timedelta(days=3))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(own, hashes.SHA256())
    )
    certificate.write_bytes(signed.public_bytes(Encoding.PEM))
    key.write_bytes(own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate, key


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def subscribe(world: World, vault: Vault, *, name: str, url: str, community_id: int | None) -> None:
    """One more system that wants to hear of payments."""
    with world.database.transaction() as session:
        add_webhook(
            session,
            vault,
            name=name,
            url=url,
            secret=SECRET,
            kinds=[FactKind.PAYMENT_CONFIRMED],
            community_id=community_id,
            loopback=True,
            now=NOW,
        )


@pytest.fixture
def courier(world: World, vault: Vault, clock: Clock, receiver: Receiver) -> Courier:
    """The world's old facts were told of before; one system wants to hear of payments."""
    with world.database.transaction() as session:
        while any(take_facts(session, NOW, 5000, at_once=now) for now in (True, False)):
            pass
    subscribe(world, vault, name="ERP", url=receiver.url, community_id=world.community.id)
    return Courier(world.database, vault, clock, loopback=True)


def happen(world: World, *kinds: FactKind, now: datetime = NOW) -> None:
    """Something changes, and the intake sees it."""
    unit = world.unit("3-2-501")
    with world.database.transaction() as session:
        for kind in kinds:
            record(
                session,
                kind,
                community_id=world.community.id,
                unit_id=unit.id,
                ref_id=7,
                amount=Money(12345),
                data={"note": "something about a person"},
                at=now,
            )
    with world.database.transaction() as session:
        for at_once in (True, False):
            take_facts(session, now, 100, at_once=at_once)


def deliveries(world: World) -> list[WebhookDelivery]:
    with world.database.transaction() as session:
        return list(session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id)))


def test_a_change_is_told_once_signed_and_without_anything_personal(
    world: World, courier: Courier, receiver: Receiver
) -> None:
    happen(world, FactKind.PAYMENT_CONFIRMED, FactKind.SHIFT_CLOSED, FactKind.BILL_VOIDED)
    assert courier.deliver() == {"delivered": 1, "failed": 0}
    assert courier.deliver() == {"delivered": 0, "failed": 0}
    [(headers, body)] = receiver.got
    told = json.loads(body)
    assert told == {
        "id": headers["Mingzhang-Delivery"],
        "kind": "payment_confirmed",
        "at": told["at"],
        "community": world.community.code,
        "room": "3-2-501",
        "ref": 7,
        "amount_fen": 12345,
        "receipt": None,
    }
    seconds, mac = (part.partition("=")[2] for part in headers["Mingzhang-Signature"].split(","))
    assert int(seconds) == int(NOW.timestamp())
    signed = hmac.new(SECRET.encode(), f"{seconds}.".encode() + body, hashlib.sha256)
    assert mac == signed.hexdigest()


def test_what_is_not_accepted_comes_again_later_with_the_same_number(
    world: World, courier: Courier, receiver: Receiver, clock: Clock
) -> None:
    receiver.answers = [500, 302]
    happen(world, FactKind.PAYMENT_CONFIRMED)
    assert courier.deliver()["failed"] == 1
    assert courier.deliver()["failed"] == 0, "not before its time"
    clock.now += timedelta(seconds=30)
    assert courier.deliver()["failed"] == 1
    clock.now += timedelta(seconds=60)
    assert courier.deliver()["delivered"] == 1
    assert len({headers["Mingzhang-Delivery"] for headers, _ in receiver.got}) == 1
    assert len(receiver.got) == 3, "a redirection is not followed"


def test_who_does_not_answer_keeps_nobody_else_waiting(
    world: World, courier: Courier, receiver: Receiver, vault: Vault
) -> None:
    subscribe(world, vault, name="a dead one", url="http://127.0.0.1:1/", community_id=None)
    happen(world, *[FactKind.PAYMENT_CONFIRMED] * 25)
    done = courier.deliver()
    assert done["delivered"] == 25
    assert 0 < done["failed"] < 25, "the rest of the dead one's waits"


def test_after_a_day_it_is_given_up_and_staff_are_told_once(
    world: World, courier: Courier, receiver: Receiver, clock: Clock
) -> None:
    receiver.answers = [500] * 1000
    happen(world, FactKind.PAYMENT_CONFIRMED, FactKind.PAYMENT_CONFIRMED)
    while clock.now < NOW + TRIED_FOR:
        courier.deliver()
        clock.now += timedelta(hours=2)
    courier.deliver()
    assert {one.state for one in deliveries(world)} == {DeliveryState.GIVEN_UP}
    with world.database.transaction() as session:
        raised = session.scalars(select(Alert).where(Alert.kind == AlertKind.WEBHOOK_FAILED)).all()
    assert [one.data for one in raised] == [{"webhook": "ERP", "outcome": "answered 500"}]


def test_what_was_given_up_can_be_sent_again(
    world: World, courier: Courier, receiver: Receiver, clock: Clock
) -> None:
    happen(world, FactKind.PAYMENT_CONFIRMED, FactKind.PAYMENT_CONFIRMED)
    receiver.answers = [500, 204]
    courier.deliver()
    clock.now += TRIED_FOR
    receiver.answers = [500]
    courier.deliver()
    receiver.answers = []
    with world.database.transaction() as session:
        erp = get_webhook(session, "ERP")
        assert replay(session, erp, clock.now, since=NOW, failed_only=True) == 1
    assert courier.deliver() == {"delivered": 1, "failed": 0}
    with world.database.transaction() as session:
        assert replay(session, erp, clock.now, since=NOW, failed_only=False) == 2
        end_webhook(session, get_webhook(session, "ERP"), clock.now)
    assert courier.deliver() == {"delivered": 0, "failed": 0}
    with world.database.transaction() as session, pytest.raises(Conflict):
        replay(session, get_webhook(session, "ERP"), clock.now, since=NOW, failed_only=False)


def test_what_a_dead_worker_left_is_taken_over_and_its_late_word_changes_nothing(
    world: World, courier: Courier, receiver: Receiver, clock: Clock
) -> None:
    happen(world, FactKind.PAYMENT_CONFIRMED)
    with world.database.transaction() as session:
        [left] = claim_deliveries(session, clock.now, 10)
    assert courier.deliver() == {"delivered": 0, "failed": 0}
    clock.now += timedelta(minutes=2)
    assert courier.deliver() == {"delivered": 1, "failed": 0}
    with world.database.transaction() as session:
        record_outcome(session, left, "no answer", clock.now)
    assert [one.state for one in deliveries(world)] == [DeliveryState.DELIVERED]
    with world.database.transaction() as session:
        assert forget_deliveries(session, clock.now + timedelta(days=89)) == 0
        assert forget_deliveries(session, clock.now + timedelta(days=91)) == 1


SEQUENCE_PUT_BACK = text(
    "SELECT setval(pg_get_serial_sequence('webhook_delivery', 'id'), :id, false)"
)


def test_after_a_restore_no_number_is_given_again(
    world: World, courier: Courier, receiver: Receiver, clock: Clock
) -> None:
    """Rows and their sequence are what they were when the backup was made."""
    happen(world, FactKind.PAYMENT_CONFIRMED)
    courier.deliver()
    with world.database.transaction() as session:
        [lost] = session.scalars(select(WebhookDelivery))
        session.delete(lost)
        session.flush()
        session.execute(text("SET LOCAL ROLE NONE"))  # the runtime's role owns no sequence
        session.execute(SEQUENCE_PUT_BACK, {"id": lost.id})
    clock.now += timedelta(minutes=1)
    happen(world, FactKind.PAYMENT_CONFIRMED, now=clock.now)
    courier.deliver()
    [after] = deliveries(world)
    assert after.id == lost.id
    numbers = [headers["Mingzhang-Delivery"] for headers, _ in receiver.got]
    assert numbers == [lost.number, after.number]
    assert numbers[0] != numbers[1]


def test_what_is_sent_again_has_the_number_it_had(
    world: World, courier: Courier, receiver: Receiver, clock: Clock
) -> None:
    happen(world, FactKind.PAYMENT_CONFIRMED)
    courier.deliver()
    clock.now += timedelta(days=3)
    with world.database.transaction() as session:
        replay(session, get_webhook(session, "ERP"), clock.now, since=NOW, failed_only=False)
    courier.deliver()
    [one] = deliveries(world)
    assert one.number == f"{world.community.id}-{one.id}-{int(NOW.timestamp())}"
    assert [headers["Mingzhang-Delivery"] for headers, _ in receiver.got] == [one.number] * 2


def test_a_fact_and_its_deliveries_are_one_transaction(world: World, courier: Courier) -> None:
    with world.database.transaction() as session:
        record(
            session, FactKind.PAYMENT_CONFIRMED, community_id=world.community.id, ref_id=1, at=NOW
        )
    with pytest.raises(ZeroDivisionError), world.database.transaction() as session:
        assert take_facts(session, NOW, 10, at_once=True) == 1
        raise ZeroDivisionError
    assert deliveries(world) == []
    with world.database.transaction() as session:
        assert session.scalars(select(Fact).where(Fact.taken_at.is_(None))).all()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1",
        "0.0.0.0", "::1", "::", "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1",
        "2002:a00:1::", "224.0.0.1", "255.255.255.255", "nonsense",
    ],
)  # fmt: skip
def test_no_machine_of_ours_is_called(address: str) -> None:
    assert not may_be_called(address, loopback=False)


def test_public_addresses_are() -> None:
    assert may_be_called("203.0.114.7", loopback=False)
    assert may_be_called("2606:4700::1", loopback=False)


def test_a_name_that_means_a_machine_of_ours_is_not_called(receiver: Receiver) -> None:
    port = receiver.server.server_port
    with pytest.raises(Refused, match="not on the public internet"):
        post(read_url(f"https://localhost:{port}/", loopback=False), b"{}", {})
    assert receiver.got == []


@pytest.mark.parametrize(
    "url",
    [
        "http://erp.example.com/", "https://user:pass@erp.example.com/", "ftp://erp.example.com/",
        "https://", "https://erp.example.com:99999/", "https://erp.example.com/a b",
        "https://例子.cn/", "https://erp.example.com/#x", "https://[::1",
    ],
)  # fmt: skip
def test_addresses_that_are_no_https_addresses_are_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="url"):
        read_url(url, loopback=False)


def test_what_concerns_people_is_never_told_to_others(world: World, vault: Vault) -> None:
    with world.database.transaction() as session, pytest.raises(InvalidInput, match="kinds"):
        add_webhook(
            session,
            vault,
            name="ERP",
            url="https://erp.example.com/",
            secret=SECRET,
            kinds=[FactKind.BINDING_ADDED],
            community_id=None,
            loopback=False,
            now=NOW,
        )


def test_who_sends_a_byte_now_and_then_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notify.webhook_post.SECONDS_IN_ALL", 0.3)
    done = Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            caller, _ = listener.accept()
            with caller, suppress(OSError):
                while not done.wait(0.05):
                    caller.sendall(b"X")

        thread = Thread(target=drip)
        thread.start()
        port = listener.getsockname()[1]
        with pytest.raises(Refused, match="no answer"):
            post(read_url(f"http://127.0.0.1:{port}/", loopback=True), b"{}", {})
        done.set()
        thread.join()


def test_a_certificate_nobody_vouches_for_is_refused(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = write_certificate(tmp_path, "localhost")
    receiver.speak_tls(certificate, key)
    with pytest.raises(Refused, match="no answer: "):
        post(read_url(receiver.url, loopback=True), b"{}", {})
    monkeypatch.setattr("certifi.where", lambda: str(certificate))
    post(read_url(receiver.url, loopback=True), b"{}", {})
    assert len(receiver.got) == 1


def test_one_whose_certificate_is_of_another_name_keeps_nobody_else_from_hearing(
    world: World,
    courier: Courier,
    receiver: Receiver,
    other_receiver: Receiver,
    vault: Vault,
    clock: Clock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    certificate, key = write_certificate(tmp_path, "elsewhere.example.test")
    other_receiver.speak_tls(certificate, key)
    monkeypatch.setattr("certifi.where", lambda: str(certificate))
    subscribe(world, vault, name="misnamed", url=other_receiver.url, community_id=None)
    happen(world, FactKind.PAYMENT_CONFIRMED)
    assert courier.deliver() == {"delivered": 1, "failed": 1}
    assert len(receiver.got) == 1
    assert other_receiver.got == []
    [good, bad] = deliveries(world)
    assert (good.state, bad.state) == (DeliveryState.DELIVERED, DeliveryState.QUEUED)
    assert bad.outcome == "no answer: CertificateError"
    clock.now += LEASE
    assert courier.deliver() == {"delivered": 0, "failed": 1}
    assert len(receiver.got) == 1, "nothing is told twice"


def test_one_whose_secret_cannot_be_opened_keeps_nobody_else_from_hearing(
    world: World, courier: Courier, receiver: Receiver, vault: Vault, clock: Clock
) -> None:
    subscribe(world, vault, name="of a lost key", url=receiver.url, community_id=None)
    with world.database.transaction() as session:
        get_webhook(session, "of a lost key").secret_sealed = "sealed with a lost key"
    happen(world, FactKind.PAYMENT_CONFIRMED)
    assert courier.deliver() == {"delivered": 1, "failed": 1}
    assert [one.outcome for one in deliveries(world)] == ["accepted", "failed here: InvalidToken"]
    clock.now += TRIED_FOR
    assert courier.deliver() == {"delivered": 0, "failed": 1}
    assert deliveries(world)[1].state is DeliveryState.GIVEN_UP
    assert len(receiver.got) == 1


def test_staff_of_other_communities_do_not_learn_what_a_community_could_not_tell(
    world: World, courier: Courier, receiver: Receiver, vault: Vault, clock: Clock
) -> None:
    subscribe(world, vault, name="head office", url=receiver.url, community_id=None)
    happen(world, FactKind.PAYMENT_CONFIRMED)
    for _ in range(2):
        receiver.answers = [500, 500]
        courier.deliver()
        clock.now += TRIED_FOR
    with world.database.transaction() as session:
        raised = session.scalars(select(Alert).where(Alert.kind == AlertKind.WEBHOOK_FAILED)).all()
        told = session.scalars(select(Fact).where(Fact.kind == FactKind.ALERT_RAISED)).all()
    of = {one.id: one.data["webhook"] for one in raised}
    here = world.community.id
    assert {of[one.id]: one.community_id for one in raised} == {"ERP": here, "head office": None}
    assert {of[one.ref_id]: one.community_id for one in told if one.ref_id in of} == {
        "ERP": here,
        "head office": EVERY_COMMUNITY,
    }
