"""`mingzhang quote` as an operator runs it: lines in, lines out, whatever they hold."""

import json
import subprocess
import sys

from click.testing import CliRunner

from bot.cli.quote import quote

GOOD = b'{"split": {"amount_fen": 100, "weights": ["1", "1", "1"]}}\n'
ANSWER = {"parts_fen": [34, 33, 33]}


def run(data: bytes) -> list[dict[str, object]]:
    result = CliRunner().invoke(quote, input=data, catch_exceptions=False)
    assert result.exit_code == 0
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_bad_line_is_answered_and_the_rest_go_on() -> None:
    bad = [
        b"no json\n",
        b"\n",
        b"[]\n",
        b"NaN\n",
        b'{"split": NaN}\n',
        b"\xff\xfe\n",
        b'{"\\ud800": 1, "due": {}}\n',
        b"[" * 100_000 + b"\n",
        b'{"split": {"amount_fen": ' + b"9" * 5000 + b', "weights": ["1"]}}\n',
    ]
    for line in bad:
        first, spoiled, last = run(GOOD + line + GOOD)
        assert first == last == ANSWER
        assert list(spoiled) == ["error"], line


def test_answers_keep_the_order_of_the_requests() -> None:
    requests = b"".join(
        json.dumps({"split": {"amount_fen": n, "weights": ["1"]}}).encode() + b"\n"
        for n in range(500)
    )
    assert run(requests) == [{"parts_fen": [n]} for n in range(500)]


def test_the_last_line_needs_no_line_end() -> None:
    assert run(GOOD.rstrip()) == [ANSWER]


def test_no_input_is_no_output() -> None:
    assert run(b"") == []


def test_chinese_is_written_as_it_is() -> None:
    request = (
        b'{"price": {"method": "flat", "unit_price": "100", "per": "month"},'
        b' "from": "2026-11-01", "to": "2026-12-01"}'
    )
    result = CliRunner().invoke(quote, input=request)
    assert "100.00元/月 = 100.00元" in result.stdout


def test_a_request_is_answered_before_the_next_one_is_written() -> None:
    command = [sys.executable, "-c", "from bot.cli.quote import quote; quote()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        for _ in range(3):
            program.stdin.write(GOOD)
            program.stdin.flush()
            assert json.loads(program.stdout.readline()) == ANSWER
        program.stdin.close()
        assert program.wait(timeout=30) == 0
