"""Where things run: settings, placement, bring-up and the command line."""
