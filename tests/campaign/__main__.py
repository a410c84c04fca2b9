"""A long campaign against everything that writes: kills, races, interruptions, full disks, lying servers; with a count.

    uv run -m tests.campaign                                   # 200 events, the kinds in turn
    uv run -m tests.campaign --events 1000 --seed 7            # others
    uv run -m tests.campaign --kinds saves_at_once killed_saves

Every event ends with a look at what is left: the old or the new, whole; nothing beside it after the next run; no traceback on
the way. What does not hold is printed with its seed, by which it comes again as far as the clock allows, and makes the exit
status 1. Events run in forks of one process, which has loaded the libraries once.

Full disks are real, and need root's rights: without these, the starved kinds are left out. They are mounted where only the campaign and its children see them, so that the
system takes them away however the campaign ends. Its temporary folder, `mel-emotion-*` where temporary files are kept, is
cleared by the next run where this one was killed.
"""

import argparse
import os
import random
import sys
import time
from collections import Counter

import torch
from tqdm import tqdm

from data_scripts.staging import temporary_folder
from tests.campaign import commands, saves, servers  # noqa: F401 (they name their kinds)
from tests.campaign.world import KINDS, World

OWN_DISKS = "MEL_EMOTION_OWN_DISKS"  # set where mounted disks are this process's alone


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200, help="default: %(default)s")
    parser.add_argument("--minutes", type=float, default=60.0, help="no event begins later; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    may_mount = os.geteuid() == 0
    kinds = [name for name in KINDS if may_mount or not name.startswith("starved")]
    parser.add_argument("--kinds", nargs="+", choices=kinds, default=kinds, help="default: all")
    options = parser.parse_args()
    if may_mount and OWN_DISKS not in os.environ:
        again = (sys.executable, "-m", "tests.campaign", *sys.argv[1:])
        os.environ[OWN_DISKS] = "1"
        os.execvp("unshare", ("unshare", "--mount", "--propagation", "private", *again))
    torch.set_num_threads(1)
    held, tried, found = Counter(), Counter(), []
    start = time.monotonic()
    with temporary_folder() as temporary:
        world = World(temporary)
        for number in tqdm(range(options.events), unit="event"):
            if time.monotonic() - start > 60 * options.minutes:
                break
            name = options.kinds[number % len(options.kinds)]
            tried[name] += 1
            seed = f"{options.seed}-{number}"
            folder = temporary / "events" / seed
            folder.mkdir(parents=True)
            try:
                KINDS[name](world, random.Random(seed), folder)
                held[name] += 1
            except (AssertionError, OSError, ValueError) as error:
                found.append(f"{name}, seed {seed}: {error}")
                tqdm.write(found[-1])
    for name, n_events in tried.items():
        print(f"{name.replace('_', ' ')}: {held[name]} of {n_events} held")
    print(f"all: {held.total()} of {tried.total()} held")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
