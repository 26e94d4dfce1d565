"""The gate: what must hold before a cycle goes on. One probe a file, each answers ok or why not."""
