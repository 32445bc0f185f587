"""Server that a Grand Challenge container of 2026 runs: a model loaded once, many images.

    python -m selma3d.export.container_server CONTEXT

`init_model` loads the weights from /opt/ml/model (or $SELMA3D_MODEL), where the platform unpacks
their tarball. From then on `GET /health` answers 200, and each `POST /invoke` segments the one
image that lies below /input and answers 201 when its mask lies below /output. Bad input is answered
with 400 and one line of JSON (`{"error": ...}`), a fault of ours with 500; the server lives on.
$SELMA3D_HOST and $SELMA3D_PORT say where it listens (0.0.0.0, 4743). SIGTERM ends it.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from ..inference import TrainedModel, load_model
from ..system.errors import InputError
from .container_entry import MODEL, roots, segment_input
from .container_input import PORT, ContainerSettings, read_settings

log = logging.getLogger(__name__)

WEIGHTS = "/opt/ml/model"
MOST_BODY = 1 << 20  # bytes of a request, whose content is not looked at
PATIENCE_S = 60.0  # with a caller that sends nothing


def init_model() -> TrainedModel:
    """The weights, once. Raises InputError."""
    return load_model(Path(os.environ.get("SELMA3D_MODEL") or WEIGHTS) / MODEL)


class Server(ThreadingHTTPServer):
    """Answers many callers, and segments for one at a time."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], model: TrainedModel, context: Path) -> None:
        super().__init__(address, Handler)
        self._model, self._settings = model, read_settings(context)
        self._one_at_a_time = threading.Lock()

    @property
    def settings(self) -> ContainerSettings:
        return self._settings

    def run(self) -> Path:
        """Segment the image that lies there now. Raises InputError."""
        with self._one_at_a_time:
            return segment_input(self._model, self._settings, *roots())


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server
    timeout = PATIENCE_S

    def do_GET(self) -> None:
        if self.path == "/health":
            self._answer(200, {"status": "ready"})
        else:
            self._answer(404, {"error": "expected /health or /invoke"})

    def do_POST(self) -> None:
        if self.path != "/invoke":
            self._answer(404, {"error": "expected /invoke"})
            return
        if not self._body_is_read():
            return
        try:
            mask = self.server.run()
        except InputError as error:
            log.error("error: %s", error)
            self._answer(400, {"error": str(error)})
        except Exception as error:  # the next image may be a better one
            log.exception("an image could not be segmented")
            self._answer(500, {"error": f"{type(error).__name__}: {error}"})
        else:
            self._answer(201, {"output": f"{self.server.settings.output}/{mask.name}"})

    def _body_is_read(self) -> bool:
        text = self.headers.get("Content-Length", "0")
        if not (text.isascii() and text.isdigit() and int(text) <= MOST_BODY):
            self.close_connection = True
            self._answer(413, {"error": f"expected at most {MOST_BODY} bytes, found {text[:40]}"})
            return False
        self.rfile.read(int(text))
        return True

    def _answer(self, status: int, content: dict[str, str]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        log.info(format, *args)


def main() -> int:
    """Serve until SIGTERM; 1 for weights or settings that can't be read."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    host = os.environ.get("SELMA3D_HOST") or "0.0.0.0"  # a container's: nobody else is in it
    try:
        port = int(os.environ.get("SELMA3D_PORT") or PORT)
        server = Server((host, port), init_model(), Path(sys.argv[1]))
    except (InputError, ValueError) as error:
        logging.error("error: %s", error)
        return 1
    log.info("model loaded, listening on port %d", server.server_port)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever()
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
