"""What people have accepted, as they wrote it down beside the configuration."""
