"""Shows the static page on this machine: the model in your own browser.

    uv run space/browser/serve.py                            # http://127.0.0.1:8000, the checkpoint of this repository
    uv run space/browser/serve.py build/model --port 8001    # another one, after uv run -m modeling.export build/model

The page is put together in build/browser, which any other file server shows as well. The first time it fetches
onnxruntime-web by npm (33 MB); after that nothing here needs a network.
"""

import argparse
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from data_scripts.terminal import command, end_quietly_while_loading, say

if __name__ == "__main__":
    end_quietly_while_loading()

from space.browser.assemble import assemble


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = ROOT / "modeling" / "checkpoint"
    parser.add_argument("checkpoint", nargs="?", type=Path, default=default, help="default: modeling/checkpoint")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "browser", help="default: build/browser")
    parser.add_argument("--port", type=int, default=8000, help="default: %(default)s")
    options = parser.parse_args(arguments)
    with command(lambda: f"the page stays in {options.output}", "serve.py"):
        folder = assemble(options.checkpoint, options.output)
        server = ThreadingHTTPServer(("127.0.0.1", options.port), partial(SimpleHTTPRequestHandler, directory=folder))
        say(f"http://127.0.0.1:{server.server_port} shows {folder}; Ctrl-C ends it")
        server.serve_forever()


if __name__ == "__main__":
    main()
