"""The formats of model files, and what is found in their place, one file each.

To add one, add a file here. Each has:

- ``NAME`` and ``WORDS``: the format as a condition names it, and what a file of it is called in a
  sentence;
- ``ENDINGS``: the endings of names, in small letters, that its files rightly have, the usual one
  first; none for what is never a model;
- ``recognised(source)``: whether a file is one of these, by how it begins; no two say so of one;
- ``inspect(source)``: the :class:`~comfywatchman.modelfiles.condition.Condition` of a file that was
  recognised, or that nothing recognised and that has one of the endings.

Whatever a file says of itself costs no more than reading it: see
:class:`~comfywatchman.modelfiles.source.Source`. A code that only one format needs is declared in
its file.
"""
