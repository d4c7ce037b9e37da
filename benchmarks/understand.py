"""How long the bot needs to understand one sentence."""

import time
from datetime import date
from typing import Any

from bot.understanding import understand

TODAY = date(2026, 11, 23)
SENTENCES = (
    "账单",
    "我家现在欠多少",
    "帮我查一下3栋2单元501上个月的电费",
    "wuyefei duoshao qian",
    "三号楼二单元五零一室今年一到六月的水费明细",
    "先不交物业费，我想先把停车费三百二十块五交了，链接发我一下",
    "我不是要交费，我想问怎么算的",
    "怎麼又漲價了",
    "你好我是昨天刚搬来的租客房东说物业费他来交但是我今天又收到催费的短信了麻烦帮我看看到底欠不欠",
    "给3号楼欠费的业主群发通知本周五停水",
)


def measure(repeats: int = 200) -> dict[str, Any]:
    """Mean time per sentence in microseconds, after loading."""
    for sentence in SENTENCES:
        understand(sentence, today=TODAY, staff=False)
    started = time.perf_counter()
    for _ in range(repeats):
        for sentence in SENTENCES:
            understand(sentence, today=TODAY, staff=False)
    seconds = time.perf_counter() - started
    count = repeats * len(SENTENCES)
    return {"utterances": count, "per_utterance_us": round(seconds / count * 1e6, 1)}
