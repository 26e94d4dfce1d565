"""Fixes as edits of files that a program can make, judged before anybody is shown them."""
