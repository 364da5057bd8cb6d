"""Starts moto as its own server does, but with one thread: it then answers one request after the other.

With several threads moto looks whether an object is there and stores it in two steps, between which another request may come:
a conditional put (If-None-Match) then succeeds for two writers at once, which S3 rules out. Prints `Running on <url>` to stderr.

Where a test has moto ask for permission, it asks for S3 only and takes everybody for whom the keys say they are: it cannot read
the permissions for a request in CBOR, as CloudWatch gets it, and reckons the signature of a listing of S3 in another way than S3
and its clients do. Keys, session tokens and policies count as usual.
"""

from moto.core.authorization import ActionAuthenticatorMixin
from moto.iam.access_control import IAMRequestBase
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

ActionAuthenticatorMixin._authenticate_and_authorize_normal_action = lambda *request: None
IAMRequestBase.check_signature = lambda request: None
run_simple("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=False)
