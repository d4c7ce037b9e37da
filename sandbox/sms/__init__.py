"""A pretend Aliyun SMS service (Dysmsapi): signed calls, limits, reports."""

from sandbox.sms.desk import SmsDesk
from sandbox.sms.routes import sms_routes

__all__ = ["SmsDesk", "sms_routes"]
