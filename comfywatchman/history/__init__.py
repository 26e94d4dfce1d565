"""Memory: what the last cycles found, what changed on the host since, and what that did."""
