"""Subscription notices: a consent each, events with lists, no number in the answer."""

import pytest
import requests
from sandbox_world import BILL, World, wait_until

ANN = "oAnn"


def send(here: World, openid: str = ANN, **changes: object) -> dict[str, object]:
    data = {"thing1": "3-2-501", "amount2": "275.80元", "time3": "2026年11月30日"}
    body = {
        "touser": openid,
        "template_id": BILL,
        "page": "http://a.example/bill",
        "data": {name: {"value": value} for name, value in data.items()},
    }
    return dict(here.api.call("message/subscribe/bizsend", body | changes))


def events(here: World, name: str) -> list[dict[str, object]]:
    return [push for push in here.service.pushes if push.get("Event") == name]


def test_a_consent_is_one_notice_and_the_service_hears_of_both(here: World) -> None:
    here.api.act(ANN, "follow")
    assert send(here)["errcode"] == 43101
    here.api.act(ANN, "subscribe", answers={BILL: True})
    (popup,) = events(here, "subscribe_msg_popup_event")
    listed = popup["SubscribeMsgPopupEvent"]["List"]
    assert listed == {"TemplateId": BILL, "SubscribeStatusString": "accept", "PopupScene": "1"}
    assert send(here).keys() == {"errcode", "errmsg"}
    assert send(here)["errcode"] == 43101
    (message,) = here.api.inbox(ANN)
    assert (message["kind"], message["url"]) == ("subscribe", "http://a.example/bill")
    wait_until(lambda: bool(events(here, "subscribe_msg_sent_event")))
    (sent,) = events(here, "subscribe_msg_sent_event")
    told = sent["SubscribeMsgSentEvent"]["List"]
    assert (told["TemplateId"], told["ErrorCode"], told["ErrorStatus"]) == (BILL, "0", "success")
    assert int(told["MsgID"]) > 2**53


def test_a_refusal_in_the_settings_ends_all_consents(here: World) -> None:
    here.api.act(ANN, "follow")
    here.api.act(ANN, "subscribe", answers={BILL: True})
    here.api.act(ANN, "unsubscribe", template_id=BILL)
    (change,) = events(here, "subscribe_msg_change_event")
    assert change["SubscribeMsgChangeEvent"]["List"]["SubscribeStatusString"] == "reject"
    assert send(here)["errcode"] == 43101


def test_what_cannot_be_sent_uses_no_consent(here: World) -> None:
    here.api.act(ANN, "follow")
    here.api.act(ANN, "subscribe", answers={BILL: True})
    assert send(here, data={"thing1": {"value": "一" * 21}})["errcode"] == 47003
    assert send(here, template_id="unknown")["errcode"] == 40037
    assert send(here, page="javascript:alert(1)")["errcode"] == 40048
    assert send(here)["errcode"] == 0


def test_a_lost_answer_has_been_carried_out(here: World) -> None:
    here.api.act(ANN, "follow")
    here.api.act(ANN, "subscribe", answers={BILL: True})
    here.api.call("menu/get")
    here.api.post_raw("/faults", {"target": "subscribe_send", "mode": "lost"})
    with pytest.raises(requests.ConnectionError):
        send(here)
    assert len(here.api.inbox(ANN)) == 1


@pytest.mark.parametrize(
    ("mode", "statuses"),
    [
        ("user_block", ["failed:user block"]),
        ("system_failed", ["failed: system failed"]),
        ("duplicate", ["success", "success"]),
    ],
)
def test_a_planned_report_is_told_as_planned(here: World, mode: str, statuses: list[str]) -> None:
    here.api.act(ANN, "follow")
    here.api.post_raw("/faults", {"target": "delivery_report", "mode": mode})
    here.api.send_bill(ANN)
    wait_until(lambda: len(events(here, "TEMPLATESENDJOBFINISH")) == len(statuses))
    assert [push["Status"] for push in events(here, "TEMPLATESENDJOBFINISH")] == statuses


def test_a_pop_up_answers_something(here: World) -> None:
    here.api.act(ANN, "follow")
    assert here.api.phone(ANN, "subscribe", {}).status_code == 400
    assert here.api.phone(ANN, "subscribe", {"answers": {BILL: "yes"}}).status_code == 400
    assert here.api.phone("oStranger", "subscribe", {"answers": {BILL: True}}).status_code == 409
