"""The checks: one a file, each with its code, severity, documentation and the fix it can suggest."""
