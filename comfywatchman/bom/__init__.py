"""Bills of materials: what a workflow needs, and what of that another host lacks."""
