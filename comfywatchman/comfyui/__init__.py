"""What a ComfyUI instance offers: its HTTP client, catalog and inventory."""
