"""One cycle: its graph, what runs it and puts its ending on record, its clock and its progress."""
