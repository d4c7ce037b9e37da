"""The two ways this provider says no: to a merchant's call, and to a person at the cashier.

ApiRefused   HTTP status and {"code", "message", "detail"?}
PayRefused   one Chinese sentence shown on the phone
"""

from sandbox.pay.texts import say


class PayRefused(Exception):
    """The cashier does not take this payment; `message` is what the person reads."""

    def __init__(self, message: str):
        super().__init__(message)
        self.message = message


class ApiRefused(Exception):
    """An API call answered by an error, as documented per endpoint."""

    def __init__(self, http: int, code: str, message: str, detail: dict[str, object] | None = None):
        super().__init__(f"{http} {code} {message}")
        self.http = http
        self.code = code
        self.message = message
        self.detail = detail

    def body(self) -> dict[str, object]:
        """Give the JSON answer; `detail` only where there is one."""
        answer: dict[str, object] = {"code": self.code, "message": self.message}
        if self.detail is not None:
            answer["detail"] = self.detail
        return answer


def wrong_parameter(source: str, rule: str, value: object = None, **values: object) -> ApiRefused:
    """Build PARAM_ERROR for a field named by its pointer, as `/body/amount/total`."""
    message = say(f"param.{rule}", source=source, label=say(f"label.{source}"), **values)
    location, _, field = source.removeprefix("/").partition("/")
    detail = {"location": location, "field": f"/{field}", "value": value}
    return ApiRefused(400, "PARAM_ERROR", message, detail)


def wrong_signature(text: str, field: str, **sign_information: object) -> ApiRefused:
    """Build SIGN_ERROR; `field` is the part of the Authorization header at fault."""
    detail: dict[str, object] = {
        "detail": {"issue": "sign not match"},
        "field": field,
        "location": "authorization",
    }
    if sign_information:
        detail["sign_information"] = sign_information
    return ApiRefused(401, "SIGN_ERROR", say(f"api.{text}"), detail)
