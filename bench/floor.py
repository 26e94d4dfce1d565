"""The floor under a cycle: the least that one with these libraries can cost.

``python bench/floor.py URL FOLDER`` imports langgraph and httpx, fetches /object_info once, and
parses the JSON files below the folder with orjson.
"""

import sys
from pathlib import Path

import httpx
import langgraph.graph  # noqa: F401  (its import is part of the floor)
import orjson

url, folder = sys.argv[1:]
catalog = orjson.loads(httpx.get(f"{url}/object_info", trust_env=False).raise_for_status().content)
files = sorted(Path(folder).rglob("*.json"))
for file in files:
    orjson.loads(file.read_bytes())
print(f"{len(catalog)} node types, {len(files)} files")
