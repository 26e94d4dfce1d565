"""What is told to other programs that watch hosts: Prometheus, and Nagios and its kin."""
