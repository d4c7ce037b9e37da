"""WeChat's events about subscription notices, through the real webhook."""

import json

from sqlalchemy import select

from bot.pushes import push_of, read_message, repeat_key
from notify.consents import SubscriptionConsent
from tests.phone import Phone, message_xml
from tests.town import Town

BILL, ARREARS = "VRR0UEO9VJOLs0MHlU0OilqX6MVFDwH3_3gz3Oc0NIc", "9nLIlbOQZC5Y89AZteFEux3WCXRRRG5W"


def event(phone: Phone, name: str, *details: dict[str, str]) -> str:
    """An event as WeChat writes it: the list is under the name of the event."""
    under = "".join(part.capitalize() for part in name.split("_"))
    listed = "".join(
        f"<List>{''.join(f'<{part}>{value}</{part}>' for part, value in one.items())}</List>"
        for one in details
    )
    xml = phone.xml("event", Event=name)
    return xml.replace("</xml>", f"<{under}>{listed}</{under}></xml>")


def answered(template_id: str, status: str) -> dict[str, str]:
    return {"TemplateId": template_id, "SubscribeStatusString": status, "PopupScene": "2"}


def consents(town: Town) -> dict[str, int]:
    with town.world.database.transaction() as session:
        return {
            one.template_id: one.remaining for one in session.scalars(select(SubscriptionConsent))
        }


def test_every_acceptance_is_counted_and_a_repeated_event_is_not(town: Town) -> None:
    phone = town.phone("oAnn")
    both = event(
        phone, "subscribe_msg_popup_event", answered(BILL, "accept"), answered(ARREARS, "accept")
    )
    assert [phone.pushes(both).raw for _ in range(2)] == ["", ""]
    phone.pushes(event(phone, "subscribe_msg_popup_event", answered(BILL, "accept")))
    assert consents(town) == {BILL: 2, ARREARS: 1}
    phone.pushes(event(phone, "subscribe_msg_popup_event", answered(ARREARS, "reject")))
    phone.pushes(event(phone, "subscribe_msg_change_event", answered(BILL, "reject")))
    assert consents(town) == {BILL: 0, ARREARS: 0}


def test_a_report_about_a_stranger_or_without_a_list_is_harmless(town: Town) -> None:
    phone = town.phone("oAnn")
    sent = {"TemplateId": BILL, "MsgID": "1700", "ErrorCode": "0", "ErrorStatus": "success"}
    for push in (
        event(phone, "subscribe_msg_sent_event", sent),
        event(phone, "subscribe_msg_sent_event"),
        event(phone, "subscribe_msg_popup_event", {"PopupScene": "1"}),
        phone.xml("event", Event="subscribe_msg_popup_event"),
    ):
        assert phone.pushes(push).status == 200
    assert consents(town) == {}


def test_in_json_the_list_is_bare_and_one_alone_is_no_list() -> None:
    head = {
        "ToUserName": "gh_1",
        "FromUserName": "oAnn",
        "CreateTime": 1,
        "MsgType": "event",
        "Event": "subscribe_msg_popup_event",
    }
    one, other = answered(BILL, "accept"), answered(ARREARS, "reject")
    for listed in (one, [one], [one, other]):
        push = push_of(read_message(json.dumps(head | {"List": listed})))
        assert push.details[0]["TemplateId"] == BILL
    assert len(push.details) == 2


def test_two_reports_of_one_second_are_two(town: Town) -> None:
    def report(msgid: str) -> str:
        inner = f"<List><TemplateId>{BILL}</TemplateId><MsgID>{msgid}</MsgID></List>"
        xml = message_xml("oAnn", "event", Event="subscribe_msg_sent_event", CreateTime=1)
        return xml.replace(
            "</xml>", f"<SubscribeMsgSentEvent>{inner}</SubscribeMsgSentEvent></xml>"
        )

    keys = {repeat_key(read_message(report(msgid))) for msgid in ("1", "2", "1")}
    assert len(keys) == 2
