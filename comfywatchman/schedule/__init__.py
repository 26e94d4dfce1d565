"""What starts the cycles, with systemd and without it, and what to do when one has failed."""
