"""What a server that was killed leaves of its visitors is deleted by the next one."""

import os
import subprocess
import sys

from keeping import own_folder


def test_folders_of_servers_that_are_gone_are_deleted_and_of_others_are_not(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for name in (f"mel-emotion-{gone.pid}-x", f"mel-emotion-{os.getpid()}-x", "mel-emotion-mine", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "voice.wav").write_bytes(b"voice")
    folder = own_folder(str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {
        folder.name,
        f"mel-emotion-{os.getpid()}-x",
        "mel-emotion-mine",
        "other",
    }
    assert not any(folder.iterdir()) and folder.stat().st_mode & 0o077 == 0
