"""The environment of a cycle: what a host is made of, one reader a source.

``reading`` brings them together. A reader takes what the cycle has already learned and what lies on
the disk; it runs, imports and writes nothing, and follows nobody's word out of its bounds. What it
finds is stable: as long as nothing is changed on the host, two cycles find the same.
"""
