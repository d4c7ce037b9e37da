"""How the service refuses: an error code, a text, a request id; of the gateway with HTTP 4xx."""

from uuid import uuid4

_TEXTS = {
    "isv.BUSINESS_LIMIT_CONTROL": "flow control by business rules",
    "isv.MOBILE_NUMBER_ILLEGAL": "the phone number is illegal",
    "isv.SMS_TEMPLATE_ILLEGAL": "the template is illegal",
    "isv.SMS_SIGNATURE_ILLEGAL": "the signature is illegal",
    "isv.TEMPLATE_MISSING_PARAMETERS": "the template lacks a parameter",
    "isv.INVALID_JSON_PARAM": "the parameters are no JSON object of texts",
    "isv.PARAM_LENGTH_LIMIT": "a parameter is too long",
    "isv.PARAM_NOT_SUPPORT_URL": "a parameter holds an address",
    "isp.SYSTEM_ERROR": "system error",
    "InvalidAccessKeyId.NotFound": "Specified access key is not found.",
    "SignatureDoesNotMatch": "Specified signature is not matched with our calculation.",
    "SignatureNonceUsed": "Specified signature nonce was used already.",
    "InvalidTimeStamp.Expired": "Specified time stamp or date value is expired.",
    "InvalidAction.NotFound": "Specified api is not found, please check your url and method.",
    "IncompleteSignature": "The request signature does not conform to Aliyun standards.",
}


class Refused(Exception):
    """A call is refused; the gateway in front says so with an HTTP error, the service with 200."""

    def __init__(self, code: str, http: int = 200):
        super().__init__(code)
        self.code = code
        self.http = http

    def body(self) -> dict[str, str]:
        """Give the JSON of the answer."""
        request_id = str(uuid4()).upper()
        return {"Code": self.code, "Message": _TEXTS[self.code], "RequestId": request_id}
