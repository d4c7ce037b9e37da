"""Faults as they appear on the wire of an API call: late, cut off, or an error code."""

import socket
import time
from typing import NoReturn

from flask import abort, request

from sandbox.account.refusals import ApiError
from sandbox.faults import Faults


def suffer(faults: Faults, target: str) -> bool:
    """Let the fault planned for `target` befall the current call, before anything is done.

    `delay` waits, `drop` cuts the connection, `errcode` raises ApiError. True for `lost`: the
    caller carries the call out and then cuts the connection.
    """
    fault = faults.take(target)
    if fault is None:
        return False
    if fault.mode == "lost":
        return True
    if fault.mode == "delay":
        time.sleep(fault.seconds)
    elif fault.mode == "drop":
        cut_connection()
    else:
        raise ApiError(fault.errcode)
    return False


def cut_connection() -> NoReturn:
    """Close the socket under the server; the caller gets no answer, not even this 502."""
    shut_connection()
    abort(502)


def shut_connection() -> None:
    """Close the socket under the server; what is answered now reaches nobody."""
    environ = request.environ
    connection = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")
    if isinstance(connection, socket.socket):
        connection.shutdown(socket.SHUT_RDWR)
