"""The player's window: opens one package before a person's eyes, says whether it is genuine, plays it.

Verification is orvault.container's, decoding player.reel's. Modules that need Qt are imported by launch.py alone, so
that everything else here, and the command line, works without it.
"""
