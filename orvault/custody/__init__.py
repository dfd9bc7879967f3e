"""Who may see what, on which ground, with proof afterwards."""
