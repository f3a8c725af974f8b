"""Serve by hand, for trials of the engine without an account at AWS."""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

from tests.rekognition_server.server import ACCESS_KEY, RekognitionServer


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.rekognition_server", description=__doc__)
    parser.add_argument("--port", type=int, default=4600, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--page-size", type=int, default=4096, help="faces in a page of ListFaces")
    arguments = parser.parse_args()
    with TemporaryDirectory(prefix="gridroll-rekognition-") as folder:
        server = RekognitionServer(Path(folder), arguments.port, arguments.page_size)
        with server:
            print(
                f"Serving on {server.url}; Ctrl-C ends it, and forgets all faces. In another terminal:\n\n"
                f"  export AWS_ACCESS_KEY_ID={ACCESS_KEY} AWS_SECRET_ACCESS_KEY=any AWS_DEFAULT_REGION=eu-west-1\n"
                f"  export GRIDROLL_ENGINE=rekognition GRIDROLL_REKOGNITION_ENDPOINT_URL={server.url}\n"
                "  gridroll init",
                flush=True,
            )
            try:
                Event().wait()
            except KeyboardInterrupt:
                print()


if __name__ == "__main__":
    main()
