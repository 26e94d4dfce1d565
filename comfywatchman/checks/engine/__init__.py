"""What carries the checks: registering them, walking a prompt as the server does, asking them."""
