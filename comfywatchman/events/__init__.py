"""What people are told of cycles: what is worth it, once, and by whatever way it goes."""
