"""The report of a cycle: its model and the forms it is shown in."""
