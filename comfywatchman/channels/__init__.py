"""The ways by which a host tells people, one file each; ``sending/`` is what they share.

A channel is a module with

``KIND``: its name and its file's, by which its messages wait in the outbox and are counted.
``configured(settings) -> bool``: whether it is set up; reads no secret.
``targets(settings) -> list[Target]``: where it sends to; raises ``ConfigError``.
``send(given, message, kept) -> dict``: sends one message, in a process of its own that is ended
when it takes too long. It is given what its target holds and what it kept the last time, returns
what it keeps for the next, and raises ``ChannelError``.
``prepare()``: may lack; what takes long before it can send, such as imports.
"""
