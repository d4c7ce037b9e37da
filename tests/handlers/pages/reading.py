"""Reading a page as a person does: its words, its links, its forms."""

from lxml import html
from werkzeug.test import TestResponse

Fields = dict[str, str | list[str]]


class Page:
    """An answer of the service, readable."""

    def __init__(self, answer: TestResponse) -> None:
        self.answer = answer
        self.status = answer.status_code
        self.path = answer.request.path
        self.html = answer.text
        self.tree = html.fromstring(answer.text) if answer.mimetype == "text/html" else None

    @property
    def text(self) -> str:
        """The words of the page without spaces."""
        assert self.tree is not None
        return "".join("".join(self.tree.find("body").itertext()).split())

    def shows(self, *words: str) -> bool:
        """True when every one of these is on the page."""
        return all("".join(word.split()) in self.text for word in words)

    def hides(self, *words: str) -> bool:
        """True when none of these is anywhere in the source."""
        return not any(word in self.html for word in words)

    def attribute(self, path: str) -> str:
        """The one attribute an XPath names."""
        assert self.tree is not None
        found = self.tree.xpath(path)
        assert len(found) == 1, found
        return str(found[0])

    def links(self) -> list[str]:
        """Where the page leads."""
        assert self.tree is not None
        return [str(href) for href in self.tree.xpath("//a/@href")]

    def form(self, action: str) -> Fields:
        """The fields of a form as a browser would send them untouched."""
        assert self.tree is not None
        form = self.tree.xpath(f"//form[@action='{action}']")[0]
        fields: Fields = {}
        for name, value in form.form_values():
            if name in fields:
                known = fields[name]
                fields[name] = [*known, value] if isinstance(known, list) else [known, value]
            else:
                fields[name] = value
        return fields

    def has_form(self, action: str) -> bool:
        """True when the page offers this form."""
        assert self.tree is not None
        return bool(self.tree.xpath(f"//form[@action='{action}']"))
