"""Starts moto as its own server does, but with one thread: it then answers one request after the other.

With several threads moto looks whether an object is there and stores it in two steps, between which another request may come:
a conditional put (If-None-Match) then succeeds for two writers at once, which S3 rules out. Prints `Running on <url>` to stderr.
"""

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

run_simple("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=False)
