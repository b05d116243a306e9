"""Judges requests by the standardwebhooks package of PyPI, and those with a public key by cryptography's Ed25519.

Reads a JSON array of {name, key, headers, body (base64)} from standard input and prints a line of JSON for each.
"""

import base64
import json
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook


def verify_by_public_key(key, headers, body):
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key.removeprefix("whpk_")))
    message = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    for one in headers["webhook-signature"].split(" "):
        version, signature = one.split(",")
        if version != "v1a":
            continue
        try:
            return public.verify(base64.b64decode(signature, validate=True), message)
        except (InvalidSignature, ValueError):
            pass
    raise ValueError("no signature fits")


for case in json.load(sys.stdin):
    key, headers, body = case["key"], case["headers"], base64.b64decode(case["body"])
    try:
        if key.startswith("whpk_"):
            verify_by_public_key(key, headers, body)
        else:
            Webhook(key).verify(body, headers, json_parse=False)
        why = None
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
    print(json.dumps({"name": case["name"], "accepted": why is None, "why": why}))
