"""Owners' pages on real PostgreSQL and Valkey; two small objects play WeChat and its cashier.

Their wires are tested with the sandbox; here only what the pages make of the answers matters.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask, render_template
from flask.testing import FlaskClient
from flask_wtf.csrf import CSRFError, CSRFProtect
from redis import Redis
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from billing.bills import BillState, list_unpaid
from billing.bindings import issue_code, redeem_code, see_follower
from billing.channels.base import (
    Channel,
    ChannelError,
    InvalidNotification,
    OrderRequest,
    ProviderAnswer,
    ProviderState,
)
from billing.confirmation import Outcome
from billing.confirmation import confirm as confirm_payment
from billing.merchants import CommunityMerchant, MerchantAccount, Provider
from billing.money import Money
from billing.payment_channels import CHANNELS
from billing.payment_tables import Payment, PaymentChannel
from billing.people import ResidentRole
from billing.privacy import Vault
from handlers.pages import pages
from handlers.pages.choice import total_owed
from handlers.services import Services
from handlers.sign_in import confirm, read_scene
from notify.links import HomeRef, Links
from notify.wechat import OAuthIdentity, SceneQr, WeChat, WeChatError, WeChatUnreachable
from notify.wording import FILTERS, TEMPLATES, text_environment
from tests.conftest import MERCHANT, World
from tests.handlers.pages.reading import Page

BASE_URL = "http://pages.test"
IN_WECHAT = "Mozilla/5.0 (Linux; Android 14) MicroMessenger/8.0.50"
IN_ALIPAY = "Mozilla/5.0 (Linux; Android 14) AliApp(AP/10.6.20) AlipayClient/10.6.20 Mobile"
ON_PHONE = "Mozilla/5.0 (Linux; Android 15) Chrome/142 Mobile Safari/537.36"
ON_COMPUTER = "Mozilla/5.0 (X11; Linux x86_64) Chrome/140"
SNAPSHOT = "snapshot"


class Account:
    """The official account: knows who a code stands for, and hands out codes to scan."""

    def __init__(self) -> None:
        self.scenes: list[str] = []
        self.silent = False
        self._used: set[str] = set()

    def oauth_url(self, redirect_uri: str, state: str) -> str:
        """Where the phone goes; `Browser` plays the phone."""
        return f"https://wechat.test/authorize?redirect_uri={redirect_uri}&state={state}"

    def oauth_identity(self, code: str) -> OAuthIdentity:
        """A code is `<openid>:<anything>` here, and good once."""
        if self.silent:
            raise WeChatUnreachable("no answer", maybe_done=False)
        if code in self._used:
            raise WeChatError(40163, "code been used")
        self._used.add(code)
        openid = code.partition(":")[0]
        return OAuthIdentity(openid=openid, is_snapshot=openid == SNAPSHOT)

    def create_scene_qr(self, scene: str, expire_seconds: int) -> SceneQr:
        """Remember the scene, as the phone that scans it would."""
        if self.silent:
            raise WeChatUnreachable("no answer", maybe_done=False)
        self.scenes.append(scene)
        return SceneQr("ticket", "https://wechat.test/qr", f"http://weixin.test/q/{scene}")


class Cashier:
    """A payment channel that keeps its orders in a dictionary."""

    provider = Provider.WECHAT_PAY
    mchid = MERCHANT[1]

    def __init__(self) -> None:
        self.ways = frozenset({PaymentChannel.WECHAT_JSAPI})
        self.orders: dict[str, OrderRequest] = {}
        self.order_calls = 0
        self.query_calls = 0
        self.failure: ChannelError | None = None
        self._paid: set[str] = set()
        self._closed: set[str] = set()

    def pay(self, out_trade_no: str) -> None:
        """The payer confirmed; no callback is sent."""
        self._paid.add(out_trade_no)

    def order(self, request: OrderRequest, now: datetime) -> dict[str, Any]:
        """Accept an order; a repeated one must be identical."""
        if self.failure is not None:
            raise self.failure
        assert self.orders.setdefault(request.out_trade_no, request) == request
        self.order_calls += 1
        if request.channel is PaymentChannel.WECHAT_NATIVE:
            return {"code_url": f"weixin://wxpay/bizpayurl?pr={request.out_trade_no}"}
        if request.channel is not PaymentChannel.WECHAT_JSAPI:
            return {"redirect_url": f"https://cashier.test/?order={request.out_trade_no}"}
        return {"appId": "wx", "package": f"prepay_id={request.out_trade_no}", "paySign": "'<&>"}

    def query(self, out_trade_no: str) -> ProviderAnswer:
        """What this cashier knows."""
        if self.failure is not None:
            raise self.failure
        self.query_calls += 1
        if out_trade_no in self._paid:
            order = self.orders[out_trade_no]
            return ProviderAnswer(
                self.mchid,
                out_trade_no,
                ProviderState.PAID,
                transaction_id=f"42{out_trade_no}",
                amount=order.amount,
                payer=order.payer_openid,
            )
        known = ProviderState.WAITING if out_trade_no in self.orders else ProviderState.MISSING
        state = ProviderState.CLOSED if out_trade_no in self._closed else known
        return ProviderAnswer(self.mchid, out_trade_no, state)

    def close(self, out_trade_no: str) -> None:
        """Make the number unpayable."""
        self._closed.add(out_trade_no)

    def parse_notification(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> ProviderAnswer:
        """Pages never receive callbacks."""
        raise InvalidNotification("not here")


class AlipayCashier(Cashier):
    """The same at Alipay."""

    provider = Provider.ALIPAY
    mchid = "2088000000000001"

    def __init__(self) -> None:
        super().__init__()
        self.ways = frozenset({PaymentChannel.ALIPAY_WAP, PaymentChannel.ALIPAY_PAGE})


@dataclass
class Clock:
    """Stands still until a test moves it."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def forward(self, span: timedelta) -> None:
        """Let time pass."""
        self.now += span


class Browser:
    """Somebody's browser: follows redirects and, inside WeChat, WeChat's silent sign-in."""

    def __init__(self, client: FlaskClient, openid: str, user_agent: str) -> None:
        self.client = client
        self.openid = openid
        self._headers = {"User-Agent": user_agent}

    def get(self, path: str) -> Page:
        """Open a page and go wherever it leads."""
        return self._follow(self.client.get(path, headers=self._headers))

    def post(self, path: str, form: Mapping[str, str | list[str]]) -> Page:
        """Send a form and go wherever it leads."""
        return self._follow(self.client.post(path, data=form, headers=self._headers))

    def code(self) -> str:
        """A fresh OAuth code that stands for this person."""
        return f"{self.openid}:{secrets.token_hex(8)}"

    def _follow(self, answer: TestResponse) -> Page:
        while answer.status_code in {302, 303}:
            to = urlsplit(answer.location)
            path = answer.location
            if to.netloc == "wechat.test":
                state = parse_qs(to.query)["state"][0]
                path = f"/o/enter?code={self.code()}&state={state}"
            answer = self.client.get(path, headers=self._headers)
        return Page(answer)


@dataclass
class House:
    """One home of the world, the parts around its pages, and who may look at them."""

    world: World
    app: Flask
    services: Services
    account: Account
    cashier: Cashier
    channels: dict[str, Channel]
    clock: Clock
    vault: Vault
    unit_id: int

    @property
    def token(self) -> str:
        """The home's token in links."""
        return self.services.links.home_token(HomeRef(self.world.community.id, self.unit_id))

    def phone(self, openid: str = "o-owner") -> Browser:
        """WeChat's browser on somebody's phone."""
        return Browser(self.app.test_client(), openid, IN_WECHAT)

    def computer(self) -> Browser:
        """A browser outside WeChat."""
        return Browser(self.app.test_client(), "", ON_COMPUTER)

    def browser(self, user_agent: str) -> Browser:
        """A browser nobody signed in at."""
        return Browser(self.app.test_client(), "", user_agent)

    @property
    def scan_path(self) -> str:
        """Where the code on paper leads."""
        return f"/o/scan/{self.token}"

    def open_every_way(self) -> AlipayCashier:
        """Every way of WeChat Pay, and an account at Alipay."""
        self.cashier.ways = frozenset(
            channel for channel, rule in CHANNELS.items() if rule.provider is Provider.WECHAT_PAY
        )
        alipay = AlipayCashier()
        self.channels["HYALI"] = alipay
        with self.world.database.transaction() as session:
            account = MerchantAccount(
                code="HYALI", provider=Provider.ALIPAY, mchid=alipay.mchid, name="Alipay"
            )
            session.add(account)
            session.flush()
            session.add(
                CommunityMerchant(
                    community_id=self.world.community.id,
                    provider=Provider.ALIPAY,
                    merchant_id=account.id,
                )
            )
        return alipay

    def signed_in_computer(self, openid: str = "o-owner") -> Browser:
        """A computer on which this person scanned and confirmed."""
        browser = self.computer()
        browser.get("/o/sign-in")
        nonce = read_scene(self.account.scenes[-1])
        assert nonce is not None
        assert confirm(self.services.redis, nonce, openid)
        browser.get("/o/sign-in")
        return browser

    def settle_everything(self) -> None:
        """Pay every unpaid bill of the home, as its owner."""
        owner = self.phone("o-owner")
        page = owner.post("/o/pay", owner.get(f"/o/home/{self.token}").form("/o/pay"))
        self.cashier.pay(self.payments()[-1].out_trade_no)
        assert owner.get(page.attribute("//main/@data-return")).shows("已到账")

    def book_late(self, payment: Payment) -> None:
        """The provider says after all that a payment was made."""
        order = self.cashier.orders[payment.out_trade_no]
        answer = ProviderAnswer(
            self.cashier.mchid,
            payment.out_trade_no,
            ProviderState.PAID,
            transaction_id=f"42{payment.out_trade_no}",
            amount=order.amount,
            payer=order.payer_openid,
        )
        with self.world.database.transaction() as session:
            merchant = session.get_one(MerchantAccount, payment.merchant_id)
            assert confirm_payment(session, merchant, answer, self.clock()) is Outcome.BOOKED

    def bind(self, openid: str, role: ResidentRole = ResidentRole.OWNER) -> None:
        """Bind a person to the home by a one-time code."""
        with self.world.database.transaction() as session:
            code = issue_code(
                session,
                self.vault,
                community_id=self.world.community.id,
                now=self.clock(),
                unit_id=self.unit_id,
                role=role,
            )
            follower = see_follower(session, openid, self.clock())
            redeem_code(session, self.vault, follower, code, self.clock())

    def unpaid(self) -> list[BillState]:
        """Unpaid bills of the home, oldest first."""
        with self.world.database.transaction() as session:
            return list_unpaid(session, self.world.community.id, [self.unit_id])

    def owed(self) -> Money:
        """What is owed on the home."""
        return total_owed(self.unpaid())

    def payments(self) -> list[Payment]:
        """Payments of the home made in this test, oldest first."""
        with self.world.database.transaction() as session:
            rows = session.query(Payment).filter(
                Payment.unit_id == self.unit_id, Payment.prepared_at >= self.world.now
            )
            return list(rows.order_by(Payment.id))


def make_app(services: Services) -> Flask:
    """The pages as `bot.app` mounts them, with its error pages."""
    app = Flask(
        "pages-test",
        template_folder=str(TEMPLATES),
        static_folder=str(TEMPLATES.parent / "handlers" / "static"),
        static_url_path="/static",
    )
    app.config.update(SECRET_KEY="k" * 32, WTF_CSRF_TIME_LIMIT=None)
    app.jinja_env.filters.update(FILTERS)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    CSRFProtect(app)
    app.register_blueprint(pages(services), url_prefix="/o")

    @app.errorhandler(CSRFError)
    def expired_form(error: CSRFError) -> tuple[str, int]:
        return render_template("errors/expired.html"), 400

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> tuple[str, int]:
        status = error.code or 500
        return render_template("errors/error.html", status=status, reference=None), status

    return app


@pytest.fixture
def make_house(world: World, redis: Redis, vault: Vault) -> Callable[[str], House]:
    """The parts around the pages of a home."""

    def make(room: str) -> House:
        account, cashier, clock = Account(), Cashier(), Clock(world.now)
        channels: dict[str, Channel] = {MERCHANT[0]: cashier}
        services = Services(
            database=world.database,
            redis=redis,
            wechat=cast(WeChat, account),
            vault=vault,
            channels=channels,
            links=Links(BASE_URL, "k" * 32),
            text=text_environment(),
            clock=clock,
            base_url=BASE_URL,
        )
        unit_id = world.unit(room).id
        app = make_app(services)
        return House(world, app, services, account, cashier, channels, clock, vault, unit_id)

    return make


@pytest.fixture
def house(make_house: Callable[[str], House]) -> House:
    """李先生's home, three months behind; `o-owner` is bound to it."""
    house = make_house("1-1-302")
    house.bind("o-owner")
    return house


@pytest.fixture
def owner(house: House) -> Browser:
    """The owner's phone."""
    return house.phone("o-owner")


@pytest.fixture
def tenant(house: House) -> Browser:
    """The phone of a tenant, bound today."""
    house.bind("o-tenant", ResidentRole.TENANT)
    return house.phone("o-tenant")


@pytest.fixture
def stranger(house: House) -> Browser:
    """外人: somebody else's phone, with the owner's link."""
    return house.phone("o-stranger")
