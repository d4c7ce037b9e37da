"""Seals a push in the account's mode, and opens the answer. Pure."""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.config import Account
from sandbox.push import crypto
from sandbox.push.documents import document
from sandbox.push.replies import BrokenReplyError, read_xml


@dataclass(frozen=True)
class Envelope:
    """A push as it goes over the wire; every try carries the same."""

    query: Mapping[str, str]
    body: bytes


def seal(account: Account, openid: str, xml: str, timestamp: int) -> Envelope:
    """Seal a push from this person, signed at `timestamp`."""
    time, nonce = str(timestamp), str(secrets.randbelow(9 * 10**8) + 10**8)
    query = {
        "signature": crypto.signature(account.token, time, nonce),
        "timestamp": time,
        "nonce": nonce,
        "openid": openid,
    }
    if account.mode == "plain":
        return Envelope(query, xml.encode())
    sealed = crypto.seal(account.aes_key, account.app_id, xml, secrets.token_hex(8).encode())
    query["encrypt_type"] = "aes"
    query["msg_signature"] = crypto.signature(account.token, time, nonce, sealed)
    if account.mode == "compatible":
        body = xml.replace("</xml>", f"<Encrypt><![CDATA[{sealed}]]></Encrypt></xml>")
    else:
        body = document({"ToUserName": account.original_id, "Encrypt": sealed})
    return Envelope(query, body.encode())


def open_answer(account: Account, body: str) -> str:
    """Give the XML inside an answer, which secure mode wants sealed and plain mode bare.

    Raises BrokenReplyError.
    """
    fields = {child.tag: child.text or "" for child in read_xml(body)}
    if "Encrypt" not in fields:
        if account.mode == "secure":
            raise BrokenReplyError("the reply is not encrypted")
        return body
    if account.mode == "plain":
        raise BrokenReplyError("the reply is encrypted in plain mode")
    names = ("TimeStamp", "Nonce", "Encrypt")
    missing = [name for name in (*names, "MsgSignature") if not fields.get(name)]
    if missing:
        raise BrokenReplyError(f"the reply has no {missing[0]}")
    expected = crypto.signature(account.token, *(fields[name] for name in names))
    if not hmac.compare_digest(expected.encode(), fields["MsgSignature"].encode()):
        raise BrokenReplyError("the reply's MsgSignature is wrong")
    try:
        return crypto.unseal(account.aes_key, account.app_id, fields["Encrypt"])
    except crypto.SealError as error:
        raise BrokenReplyError(f"the reply cannot be decrypted: {error}") from None
