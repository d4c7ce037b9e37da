"""What the service does with a message: check, limit, deliver to the phone, report.

Rules: help.aliyun.com, SendSms, QuerySendDetails, SmsReport, "SMS rate limits": to one number under
one signature 1 a minute, 5 an hour, 10 a day. Real time, for a person stands behind them.
"""

import json
import logging
import re
from collections.abc import Mapping
from datetime import datetime
from sqlite3 import Connection
from typing import Any

import requests

from sandbox.clock import SHANGHAI, Clock
from sandbox.config import SandboxConfig, SmsConfig
from sandbox.faults import Fault, Faults
from sandbox.ids import MessageIds
from sandbox.phone.inbox import SMS, add_message
from sandbox.phone.people import get_phone
from sandbox.push.line import Lines
from sandbox.sms.refusals import Refused
from sandbox.sms.signing import check
from sandbox.store import Store

WAITING, FAILED, ARRIVED = 1, 2, 3
LIMITS = ((60, 1), (3600, 5), (24 * 3600, 10))
VALUE_CHARACTERS_MAX = 35
TRIES = 3
ANSWER_WITHIN_S = 5
_NUMBER = re.compile(r"1\d{10}")
_PLACE = re.compile(r"\$\{([a-z_]+)\}")

_log = logging.getLogger(__name__)


class SmsDesk:
    """The account at the SMS service, if the configuration has one. Thread-safe."""

    def __init__(
        self,
        config: SandboxConfig,
        clock: Clock,
        store: Store,
        ids: MessageIds,
        lines: Lines,
        faults: Faults,
    ):
        self.account = config.sms
        self.faults = faults
        self._report_url = f"{config.service_url}/callbacks/sms"
        self._clock = clock
        self._store = store
        self._ids = ids
        self._lines = lines

    def admit(
        self, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> SmsConfig:
        """Check a request's signature; a nonce is good once. Raises Refused."""
        if self.account is None:
            raise Refused("InvalidAccessKeyId.NotFound", 404)
        now = self._clock.now()
        nonce = check(self.account, path, query, headers, body, now)
        with self._store.transaction() as db:
            kept = db.execute(
                "INSERT OR IGNORE INTO sms_nonce VALUES (?, ?)", (nonce, now.timestamp())
            )
            if kept.rowcount == 0:
                raise Refused("SignatureNonceUsed", 400)
        return self.account

    def send(self, account: SmsConfig, query: Mapping[str, str]) -> str:
        """Deliver a message and give its BizId; raises Refused."""
        number, out_id = query.get("PhoneNumbers", ""), query.get("OutId", "")
        if not _NUMBER.fullmatch(number):
            raise Refused("isv.MOBILE_NUMBER_ILLEGAL")
        if query.get("SignName") != account.sign_name:
            raise Refused("isv.SMS_SIGNATURE_ILLEGAL")
        code = query.get("TemplateCode", "")
        content = f"【{account.sign_name}】{_fill(account, code, query.get('TemplateParam', '{}'))}"
        now = self._clock.now()
        fault = self.faults.take("sms_report")
        is_lost = fault is not None and fault.mode == "undelivered"
        sent = self._ids.next_sent()
        biz_id = f"{sent}^0"
        with self._store.transaction() as db:
            _limit(db, number, now.timestamp())
            status = FAILED if is_lost else ARRIVED
            err_code = "MOBILE_NOT_ON_SERVICE" if is_lost else "DELIVERED"
            db.execute(
                "INSERT INTO sms VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(biz_id, number, account.sign_name, code, content, out_id),
                    *(now.timestamp(), status, err_code),
                ),
            )
            if not is_lost:
                _deliver(db, sent, number, content, out_id, code, now)
        self._report(number, biz_id, fault)
        return biz_id

    def find(self, query: Mapping[str, str]) -> list[dict[str, Any]]:
        """List the messages of a number on a day in Beijing, as QuerySendDetails does."""
        with self._store.transaction() as db:
            rows = db.execute(
                "SELECT * FROM sms WHERE number = ? ORDER BY at DESC",
                (query.get("PhoneNumber", ""),),
            ).fetchall()
        found = [dict(row) for row in rows]
        day = query.get("SendDate", "")
        return [_detail(row) for row in found if _at(row["at"]).strftime("%Y%m%d") == day]

    def _report(self, number: str, biz_id: str, fault: Fault | None) -> None:
        if fault is not None and fault.mode == "drop":
            return
        times = 2 if fault is not None and fault.mode == "duplicate" else 1
        for _ in range(times):
            self._lines.submit(f"sms {number}", lambda: self._post(biz_id))

    def _post(self, biz_id: str) -> None:
        """Post the report until it is answered with code 0, three times at most."""
        with self._store.transaction() as db:
            row = dict(db.execute("SELECT * FROM sms WHERE biz_id = ?", (biz_id,)).fetchone())
        for _ in range(TRIES):
            if self._is_taken([_report(row)]):
                return
        _log.warning("nobody takes the report of %s", biz_id)

    def _is_taken(self, report: list[dict[str, Any]]) -> bool:
        with requests.Session() as session:
            session.trust_env = False
            try:
                answer = session.post(self._report_url, json=report, timeout=ANSWER_WITHIN_S)
                return answer.status_code == 200 and answer.json().get("code") == 0
            except (requests.RequestException, AttributeError) as trouble:
                _log.info("no answer from %s: %s", self._report_url, trouble)
                return False


def _fill(account: SmsConfig, code: str, params: str) -> str:
    """Write an approved wording with its values; raises Refused."""
    wording = account.templates.get(code)
    if wording is None:
        raise Refused("isv.SMS_TEMPLATE_ILLEGAL")
    try:
        values = json.loads(params)
    except ValueError:
        raise Refused("isv.INVALID_JSON_PARAM") from None
    if not isinstance(values, dict) or not all(isinstance(one, str) for one in values.values()):
        raise Refused("isv.INVALID_JSON_PARAM")
    for name in _PLACE.findall(wording):
        value = values.get(name, "")
        if not value:
            raise Refused("isv.TEMPLATE_MISSING_PARAMETERS")
        if len(value) > VALUE_CHARACTERS_MAX:
            raise Refused("isv.PARAM_LENGTH_LIMIT")
        if "http" in value:
            raise Refused("isv.PARAM_NOT_SUPPORT_URL")
    return _PLACE.sub(lambda place: values[place[1]], wording)


def _limit(db: Connection, number: str, now: float) -> None:
    for within_s, most in LIMITS:
        row = db.execute(
            "SELECT count(*) AS sent FROM sms WHERE number = ? AND at > ?", (number, now - within_s)
        ).fetchone()
        if row["sent"] >= most:
            raise Refused("isv.BUSINESS_LIMIT_CONTROL")


def _deliver(
    db: Connection, msgid: int, number: str, content: str, out_id: str, code: str, now: datetime
) -> None:
    """Show it on the phone with this number, or on one that is called by the number."""
    row = db.execute("SELECT openid FROM number WHERE number = ?", (number,)).fetchone()
    openid = row["openid"] if row else number
    get_phone(db, openid)
    add_message(db, openid, SMS, content, now, data={"number": number})
    db.execute(
        "INSERT INTO sent (msgid, kind, openid, client_msg_id, template_id, text, data, url, at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, NULL, ?)",
        (msgid, SMS, openid, out_id, code, content, "{}", now.timestamp()),
    )


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, SHANGHAI)


def _detail(row: Mapping[str, Any]) -> dict[str, Any]:
    at = _at(row["at"]).strftime("%Y-%m-%d %H:%M:%S")
    return {
        "PhoneNum": row["number"],
        "SendStatus": row["status"],
        "ErrCode": row["err_code"],
        "TemplateCode": row["template_code"],
        "Content": row["content"],
        "SendDate": at,
        "ReceiveDate": at,
        "OutId": row["out_id"],
    }


def _report(row: Mapping[str, Any]) -> dict[str, Any]:
    at = _at(row["at"]).strftime("%Y-%m-%d %H:%M:%S")
    return {
        "phone_number": row["number"],
        "send_time": at,
        "report_time": at,
        "success": row["status"] == ARRIVED,
        "err_code": row["err_code"],
        "err_msg": row["err_code"],
        "sms_size": str(-(-len(row["content"]) // 67) if len(row["content"]) > 70 else 1),
        "biz_id": row["biz_id"],
        "out_id": row["out_id"],
    }
