"""Records a job that runs in Python, with `requests` only.

    pip install requests
    FLOWTRAIL_URL=http://127.0.0.1:8080 FLOWTRAIL_KEY=ft_… python record.py

`Recorder` is small enough to be copied into a program of your own.
"""

import os
import secrets
import sys
import time
import traceback
import uuid

import requests


def new_id():
    """A UUIDv7 (RFC 9562): the time in milliseconds, then random bits. Chosen here, so that a retry is the same record."""
    value = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


class Recorder:
    """One execution of a flow that runs here: begun when it is entered, ended when it is left."""

    def __init__(self, url, key, flow_id, flow_name, params):
        self.url, self.id, self.seq = url, new_id(), 0
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {key}"
        made = self.session.post(
            f"{url}/api/flows", json={"id": flow_id, "kind": "external", "name": flow_name}, timeout=30
        )
        # 409: it was made before.
        if made.status_code != 409:
            made.raise_for_status()
        start = {"id": self.id, "initialParams": params, "leaseSeconds": 60}
        self._send("POST", f"/api/flows/{flow_id}/executions", start)

    def _send(self, method, path, body):
        """Sends until it is acknowledged. The same request twice is one record, so a retry does no harm."""
        for pause in (0.1, 0.5, 2, 5, None):
            try:
                answer = self.session.request(method, self.url + path, json=body, timeout=30)
                if answer.status_code != 503:
                    answer.raise_for_status()
                    return answer.json()
            except requests.ConnectionError:
                if pause is None:
                    raise
            if pause is None:
                answer.raise_for_status()
            time.sleep(pause)

    def step(self, name, work, *given):
        """Runs one step, and records what it was given, what it produced or why it failed, and how long it took."""
        self.seq += 1
        node = {"seq": self.seq, "nodeId": name, "nodeType": "python", "inputData": list(given)}
        begun = time.perf_counter()
        try:
            node["outputData"] = work(*given)
            return node["outputData"]
        except Exception as error:
            node["error"] = repr(error)
            self.failed = name
            raise
        finally:
            node["executionTimeMs"] = round((time.perf_counter() - begun) * 1000, 3)
            self._send("POST", f"/api/executions/{self.id}/nodes", node)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        end = {"status": "fulfilled", "outputs": getattr(self, "outputs", None)}
        if kind is KeyboardInterrupt:
            end = {"status": "aborted"}
        elif error is not None:
            message = "".join(traceback.format_exception_only(kind, error)).strip()
            end = {"status": "error", "errorInfo": {"message": message, "nodeId": getattr(self, "failed", None)}}
        self._send("PATCH", f"/api/executions/{self.id}", end)


def main():
    url, key = os.environ["FLOWTRAIL_URL"].rstrip("/"), os.environ["FLOWTRAIL_KEY"]
    text = sys.argv[1] if len(sys.argv) > 1 else "3 5 8"
    flow = "0f9f5d9e-0000-4000-8000-000000000001"
    with Recorder(url, key, flow, "Sum in Python", {"text": text}) as run:
        numbers = run.step("parse", lambda text: [int(word) for word in text.split()], text)
        run.outputs = {"sum": run.step("add", sum, numbers)}
    print(f"{url}/api/executions/{run.id}")


if __name__ == "__main__":
    main()
