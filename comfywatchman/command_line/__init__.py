"""What the commands share: their options and flags, how they read the settings and how they end."""
