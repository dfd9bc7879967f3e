"""Where the player's binary begins."""

import multiprocessing

from player.__main__ import main

if __name__ == "__main__":
    multiprocessing.freeze_support()
    main()
