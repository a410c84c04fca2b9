"""The campaign runs, holds, and leaves nothing behind where it is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
KINDS = ("killed_saves", "lying_servers", "disturbed_answers_in_csv", "at_once_builds", "disturbed_publishing")


def start(temporary: Path, n_events: int, *kinds: str) -> subprocess.Popen:
    command = (sys.executable, "-m", "tests.campaign", "--events", str(n_events), "--seed", "25", "--kinds", *kinds)
    environment = {**os.environ, "TMPDIR": str(temporary), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_an_event_of_several_kinds_holds(tmp_path):
    campaign = start(tmp_path, len(KINDS), *KINDS)
    said = campaign.communicate(timeout=600)[0]
    assert campaign.returncode == 0 and f"all: {len(KINDS)} of {len(KINDS)} held" in said, said
    assert not list(tmp_path.iterdir())


def test_killed_it_leaves_no_disk_and_the_next_one_clears_up(tiny_disk, tmp_path):
    """`tiny_disk` alone: where it can be mounted, the campaign's can."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    campaign = start(temporary, 9, "starved_saves")
    deadline = time.monotonic() + 300
    while not list(temporary.glob(".mel-emotion-*/events/*/disk")) and time.monotonic() < deadline:
        time.sleep(0.05)
    campaign.send_signal(signal.SIGKILL)
    campaign.communicate()
    assert list(temporary.iterdir()) and str(temporary) not in Path("/proc/self/mounts").read_text()
    last = start(temporary, 1, "starved_saves")
    said = last.communicate(timeout=600)[0]
    assert last.returncode == 0, said
    assert not list(temporary.iterdir())
