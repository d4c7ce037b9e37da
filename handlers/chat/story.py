"""What somebody said until we knew what he wants: several sentences when we had to ask back.

Staff read it in a ticket. While we wait for an answer it lies sealed in the question.
"""

from handlers.chat.context import Agreement, Chat, QuestionKind
from handlers.chat.topics import Topic

CHARACTERS_MAX = 1000
ANSWERS = frozenset(word.label for word in Agreement)


def story(chat: Chat) -> str:
    """The sentences before that led to the open question, then this one unless it only answers."""
    question = chat.memory.question
    sealed = question.data.get("said") if question else None
    before = chat.services.vault.open(sealed) if sealed else ""
    now = chat.push.text.strip()
    if before and (now in chat.memory.choices or now in ANSWERS):
        return before
    return f"{before}\n{now}".strip()[:CHARACTERS_MAX]


def meant_sentence(chat: Chat) -> str:
    """What is to be read: after a yes to our guess, what we guessed at."""
    question = chat.memory.question
    is_guess = question is not None and question.kind is QuestionKind.MEANT
    is_yes = "".join(filter(str.isalnum, chat.push.text)) in ANSWERS | set(chat.memory.choices)
    return story(chat) if is_guess and is_yes else chat.push.text


def is_bare(chat: Chat, topic: Topic) -> bool:
    """Whether nothing was said but the command itself, or the menu was tapped."""
    return "".join(filter(str.isalnum, chat.push.text)) in ("", topic.label)


def sealed_story(chat: Chat) -> str:
    """The same, for the data of a question under the name `said`."""
    return chat.services.vault.seal(story(chat))
