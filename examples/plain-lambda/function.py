"""Answers Lambda's Runtime API with the standard library alone."""

import json
import os
import urllib.request

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"
GREETING = "Hello"


def handle(event: dict) -> dict:
    return {"message": f"{GREETING}, {event.get('name', 'world')}!"}


def main() -> None:
    while True:
        with urllib.request.urlopen(f"{API}/next") as invocation:
            request_id = invocation.headers["Lambda-Runtime-Aws-Request-Id"]
            answer = json.dumps(handle(json.load(invocation))).encode()
        urllib.request.urlopen(f"{API}/{request_id}/response", data=answer).close()


if __name__ == "__main__":
    main()
