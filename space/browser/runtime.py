"""onnxruntime-web, which runs the network in the visitor's browser: fetched once, verified always, and never kept in git.

Its WebAssembly has 14 MB, so it comes from the npm registry by npm itself; from then on everything works without a network.
"""

import hashlib
import shutil
import subprocess
import tarfile
from pathlib import Path

from data_scripts.staging import temporary_folder, whole_folder
from data_scripts.terminal import say_aside

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
FILES = {  # sha256
    "ort.wasm.bundle.min.mjs": "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    "ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
KEPT = Path(__file__).parents[2] / "build" / f"{PACKAGE}-{VERSION}"


def runtime_folder(kept: Path = KEPT) -> Path:
    """The folder with the two files of the runtime, which are fetched if they are not there, or not whole.

    Raises:
        ValueError: npm is missing or fails, or a file is not the one that was pinned.
    """
    if not all((kept / name).is_file() and _digest(kept / name) == digest for name, digest in FILES.items()):
        with whole_folder(kept) as staging:
            _fetch(staging)
    return kept


def _fetch(folder: Path) -> None:
    if not (npm := shutil.which("npm")):
        raise ValueError(
            f"{PACKAGE} {VERSION} is fetched once, by npm, which is not here: on Debian, apt-get install npm"
        )
    say_aside(f"fetching {PACKAGE} {VERSION} (33 MB), once")
    with temporary_folder() as downloads:
        command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--pack-destination", downloads, "--loglevel", "error"]
        packed = subprocess.run(command, cwd=downloads, capture_output=True, text=True, check=False)
        if packed.returncode:
            reason = (packed.stderr.strip() or "it says nothing").splitlines()[0]
            raise ValueError(f"npm cannot fetch {PACKAGE} {VERSION}: {reason}")
        (archive,) = downloads.glob("*.tgz")
        with tarfile.open(archive) as package:
            for name, digest in FILES.items():
                with package.extractfile(f"package/dist/{name}") as packed_file, (folder / name).open("wb") as file:
                    shutil.copyfileobj(packed_file, file)
                if (found := _digest(folder / name)) != digest:
                    raise ValueError(f"{name} of {PACKAGE} {VERSION} has the sha256 {found}, but {digest} was pinned")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
