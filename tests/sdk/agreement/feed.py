"""Serves the definitions of a world as PostHog does: `GET /flags/definitions?token=phc_p<number>`.

Called with the folder of a world. Prints its address, and ends with its standard input.
"""

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlparse


def main(folder):
    class Feed(BaseHTTPRequestHandler):
        def do_GET(self):
            token = parse_qs(urlparse(self.path).query)["token"][0]
            path = Path(folder) / "definitions" / token.removeprefix("phc_") / "posthog.json"
            body = path.read_bytes()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Feed)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
