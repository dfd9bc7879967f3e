"""Run beside a site's Ray: fills its object store until it spills to disk, and keeps it full until its input ends.

    pressure.py ADDRESS OBJECTS MIB HEX

Prints `full` when that many objects of that size lie in the store. The first holds the bytes given in hexadecimal:
what is searched for where plaintext must not be has to be found there.
"""

from __future__ import annotations

import os
import sys

import ray


def main() -> None:
    address, count, mib, planted = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), bytes.fromhex(sys.argv[4])
    ray.init(address=address, log_to_driver=False, configure_logging=False)
    kept = [ray.put(planted + os.urandom(mib << 20))]
    kept += [ray.put(os.urandom(mib << 20)) for _ in range(count - 1)]
    sys.stdout.write("full\n")
    sys.stdout.flush()
    sys.stdin.read()
    assert len(kept) == count


if __name__ == "__main__":
    main()
