"""`tariff`, `discount` and `shared-cost` from the command line."""

import json

from tests.bot.cli.command_line import Mingzhang

HY = ("--community", "HY")
PROPERTY = (*HY, "--item", "property")
ZHAO = ("--by", "zhao")
DECEMBER = ("--from", "2026-12-01")
PRICE = json.dumps({"method": "area", "unit_price": "3.80", "per": "month"})
DOCUMENT = ("--document", "第七条")


def last(mingzhang: Mingzhang, item: str = "property") -> int:
    listed = mingzhang.json("tariff", "list", *HY, "--today", "2026-11-23")
    found: int = next(one["last"] for one in listed if one["item"] == item)
    return found


def test_a_price_is_written_down_listed_and_taken_back(mingzhang: Mingzhang) -> None:
    seen = str(last(mingzhang))
    add = ("tariff", "add", *PROPERTY, *DECEMBER, "--price", PRICE, *DOCUMENT, *ZHAO)
    added = mingzhang.json(*add, "--last", seen)
    assert added["warnings"] == [
        {"kind": "price_jumps", "at": None, "before": "2.80", "after": "3.80"}
    ]
    listed = mingzhang.json("tariff", "list", *HY, "--today", "2026-11-23")[0]
    assert (listed["last"], listed["current"]) == (added["id"], int(seen))
    assert listed["versions"][0] == {
        "id": added["id"],
        "effective_from": "2026-12-01",
        "price": json.loads(PRICE) | {"proration": "calendar_month"},
        "document": "第七条",
    }
    assert f"version {added['id']}" in mingzhang.refusal(*add, "--last", seen)
    remove = ("tariff", "remove", *PROPERTY, *DECEMBER, *ZHAO)
    assert "you saw no version" in mingzhang.refusal(*remove)
    assert mingzhang.json(*remove, "--last", str(added["id"]))["removed"] == "2026-12-01"
    assert last(mingzhang) == int(seen)


def test_what_is_collected_for_a_supplier_carries_no_margin(mingzhang: Mingzhang) -> None:
    item = ("--code", "water", "--name", "水费", "--fee", "water", "--from", "2026-01-01")
    assert mingzhang.json("tariff", "add-item", *HY, *item, *ZHAO)["pass_through"] is True
    tiers = json.dumps(
        {
            "method": "tiered",
            "mode": "volume",
            "tiers": [
                {"up_to": "100", "unit_price": "5", "flat": "0"},
                {"up_to": None, "unit_price": "4", "flat": "0"},
            ],
        }
    )
    add = ("tariff", "add", *HY, "--item", "water", *DECEMBER, *DOCUMENT, *ZHAO, "--price", tiers)
    assert mingzhang.refusal(*add).startswith("supplier_price: missing")
    cheaper = tiers.replace('"4"', '"3.99"')
    assert "article 44" in mingzhang.refusal(*add, "--supplier-price", cheaper)
    assert mingzhang.json(*add, "--supplier-price", tiers)["warnings"] == [
        {
            "kind": "total_falls",
            "field": "tiers[1]",
            "at": "100",
            "up_to_there": "500.00",
            "beyond": "400.00",
        }
    ]


def test_bad_input_is_one_sentence(mingzhang: Mingzhang) -> None:
    add = ("tariff", "add", *PROPERTY, *DECEMBER, *DOCUMENT, *ZHAO, "--price")
    seen = ("--last", str(last(mingzhang)))
    for price, reason in {
        "NaN": "price: must be a JSON object",
        '{"method": "flat"}': "price.unit_price: missing",
        '{"method": "area", "unit_price": 2.8, "per": "month"}': "must be a decimal string",
    }.items():
        assert reason in mingzhang.refusal(*add, price, *seen)
    for wrong in ([*add, "{"], ["tariff", "add-item", *HY, "--fee", "beer"]):
        result = mingzhang.run(*wrong)
        assert result.exit_code == 2
        assert "Traceback" not in result.output


def test_a_discount_is_granted_listed_and_ended(mingzhang: Mingzhang) -> None:
    home = ("discount", "grant", *PROPERTY, "--subject", "3-2-501", "--reason", "vacant")
    granted = mingzhang.json(*home, *DECEMBER, "--percent", "30", *ZHAO)
    shown = {"reason": "vacant", "percent": "30", "from": "2026-12-01", "to": None}
    assert granted == {"id": granted["id"], **shown}
    listing = ("discount", "list", *HY, "--today", "2027-03-01")
    who = {"subject": "3-2-501", "item": "property", "by": "zhao"}
    assert mingzhang.json(*listing) == [who | granted]
    assert "only a manager" in mingzhang.refusal(
        "discount", "end", str(granted["id"]), *HY, "--to", "2027-03-01", "--by", "chen"
    )
    ending = ("discount", "end", str(granted["id"]), *HY, *ZHAO, "--to")
    assert mingzhang.json(*ending, "2027-03-01")["to"] == "2027-03-01"
    assert mingzhang.json(*listing) == []
    assert len(mingzhang.json(*listing, "--all")) == 1
    assert mingzhang.json(*ending, "2026-12-01") == {"id": granted["id"], "gone": True}


def test_a_price_is_agreed_and_ended(mingzhang: Mingzhang) -> None:
    agree = ("discount", "agree", *PROPERTY, "--subject", "3-2-501", *DECEMBER, *ZHAO)
    assert "unit_price" in mingzhang.refusal(*agree, "--unit-price", "-1")
    agreed = mingzhang.json(*agree, "--unit-price", "2.50")
    assert agreed["unit_price"] == "2.50"
    ending = ("discount", "end-agreed", str(agreed["id"]), *HY, *ZHAO, "--to")
    assert mingzhang.json(*ending, "2027-01-01")["to"] == "2027-01-01"
    assert mingzhang.json(*ending, "2026-12-01")["gone"] is True


def test_a_shared_cost_is_recorded_previewed_and_taken_back(mingzhang: Mingzhang) -> None:
    item = ("--code", "light", "--name", "公共照明", "--fee", "shared", "--from", "2026-01-01")
    mingzhang.json("tariff", "add-item", *HY, *item, *ZHAO)
    cost = (*HY, "--item", "light", "--building", "3", "--from", "2026-11-01", "--to", "2026-12-01")
    add = ("shared-cost", "add", *cost, "--share-by", "household")
    assert "amount: missing" in mingzhang.refusal(*add)
    added = mingzhang.json(*add, "--quantity", "100", "--unit-price", "0.62")
    preview = mingzhang.json("shared-cost", "preview", str(added["id"]), *HY)
    assert preview["total_fen"] == 6200
    assert sum(share["amount_fen"] for share in preview["shares"]) == 6200
    assert preview["shares"][0]["explanation"].startswith("总额：100 × 0.62元 = 62.00元；分摊：")
    assert all(share["subject"].startswith("3-") for share in preview["shares"])
    assert "is shared by some of the same homes" in mingzhang.refusal(*add, "--amount", "1")
    assert mingzhang.json("shared-cost", "remove", str(added["id"]), *HY) == {
        "removed": added["id"]
    }
    assert "no shared cost" in mingzhang.refusal("shared-cost", "preview", str(added["id"]), *HY)
