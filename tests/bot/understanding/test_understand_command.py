"""`mingzhang understand`: JSON lines in, JSON lines out."""

import json
from typing import Any

from click.testing import CliRunner

from bot.cli.understand import understand


def answers(lines: list[str], *arguments: str) -> list[dict[str, Any]]:
    result = CliRunner().invoke(understand, arguments, input="\n".join(lines) + "\n")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_an_utterance_is_answered_in_the_shape_of_the_contract() -> None:
    line = json.dumps({"text": "交9月的物业费", "staff": False})
    (answer,) = answers([line], "--today", "2026-11-23")
    assert answer.pop("confidence") > 0.7
    assert answer == {
        "text": "交9月的物业费",
        "intent": "pay",
        "slots": {"fee": "property", "period": "2026-09"},
        "ask": False,
    }


def test_a_single_value_is_read_by_kind() -> None:
    for kind, text, value in [
        ("room", "三号楼2单元五零一室", "3-2-501"),
        ("period", "上个月", "2026-10"),
        ("amount", "三百二十块五", 32050),
        ("room", "501", None),
    ]:
        found = answers([json.dumps({"text": text})], "--today", "2026-11-23", "--kind", kind)
        assert found == [{"text": text, "value": value}]


def test_bad_lines_are_answered_with_an_error_and_the_rest_go_on() -> None:
    bad = ["no json", "[]", "{}", '{"text": 5}', '{"text": "账单", "staff": "yes"}', "[" * 9999]
    found = answers([*bad, '{"text": "账单"}'])
    assert [list(answer) for answer in found[:-1]] == [["error"]] * len(bad)
    assert found[-1]["intent"] == "bills.due"


def test_a_lone_surrogate_does_not_stop_the_answers() -> None:
    assert answers(['{"text": "\\ud800账单"}'])[0]["intent"] == "bills.due"


def test_today_is_optional_and_must_be_a_date() -> None:
    assert answers(['{"text": "上个月"}'], "--kind", "period")[0]["value"] is not None
    assert CliRunner().invoke(understand, ["--today", "soon"], input="").exit_code == 2
