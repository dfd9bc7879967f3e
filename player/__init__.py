"""The dedicated player: opens one package, says whether it is genuine, shows it."""
