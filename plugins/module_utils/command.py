# SPDX-License-Identifier: MIT
"""The command ``comfywatchman`` on somebody's PATH, and its completion in their shell."""

from __future__ import annotations

import contextlib
import os
import shlex
import stat

from ansible_collections.comfywatchman.ops.plugins.module_utils.files import (
    link,
    make_directories,
    mode_of,
    write,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.installation import (
    SETTINGS,
    name_of,
)

FILE_BYTES = 64 * 1024
LAUNCHER = """\
#!/bin/sh
{mark}
[ -n "${{COMFYWATCHMAN_CONFIG-}}" ] || COMFYWATCHMAN_CONFIG={config}
export COMFYWATCHMAN_CONFIG
exec {program} "$@"
"""
# Each asks the program by its path, as typer's completion for bash does: the words so far, and
# which of them is being written; a proposal a line comes back.
BASH = """\
{mark}
_{function}() {{
  local IFS=$'\\n'
  COMPREPLY=($(COMP_WORDS="${{COMP_WORDS[*]}}" COMP_CWORD=$COMP_CWORD \\
    _COMFYWATCHMAN_COMPLETE=complete_bash {launcher} 2>/dev/null))
}}
complete -o default -F _{function} {name}
"""
ZSH = """\
#compdef {name}
{mark}
local -a proposals
proposals=(${{(f)"$(COMP_WORDS="${{(j: :)words}}" COMP_CWORD=$((CURRENT - 1)) \\
  _COMFYWATCHMAN_COMPLETE=complete_bash {launcher} 2>/dev/null)"}})
if (( $#proposals )); then compadd -a proposals; else _files; fi
"""
FISH = """\
{mark}
function __{function}_proposals
  set -l words (commandline --tokenize --cut-at-cursor --current-process)
  set -lx COMP_CWORD (count $words)
  set -l word (commandline --current-token --cut-at-cursor)
  set -lx COMP_WORDS (string join ' ' -- (string escape -- $words $word))
  set -lx _COMFYWATCHMAN_COMPLETE complete_bash
  {launcher} 2>/dev/null
end
complete --command {name} --arguments '(__{function}_proposals)'
"""


class Command:
    """A link on the PATH to a launcher in the root, and a file of completion for each shell.

    The launcher knows the settings of its instance, and starts whatever release is active: neither
    an upgrade nor going back touches it. ``root_then`` is where the root was when they were made,
    if it was moved since.
    """

    def __init__(self, scope, paths, instance, root_then=None):
        self.name = name_of(instance)
        self.launcher = os.path.join(paths["root"], "comfywatchman")
        self.modes = (0o600, 0o700) if scope == "user" else (0o644, 0o755)
        self.made_with = os.path.join(root_then or paths["root"], "comfywatchman")
        self.mark = f"# Made by the role comfywatchman, which removes it with {self.made_with!a}."
        self.link, self.files = None, {}
        if "bin" not in paths:  # as noted down by a version that had no command
            return
        self.link = os.path.join(paths["bin"], self.name)
        values = {
            "mark": self.mark,
            "name": self.name,
            "function": self.name.replace("-", "_"),
            "launcher": shlex.quote(self.launcher),
            "program": shlex.quote(os.path.join(paths["root"], "current/venv/bin/comfywatchman")),
            "config": shlex.quote(os.path.join(paths["config"], SETTINGS)),
        }
        places = {
            self.launcher: LAUNCHER,
            os.path.join(paths["share"], "bash-completion/completions", self.name): BASH,
            os.path.join(paths["share"], "zsh/site-functions", "_" + self.name): ZSH,
            os.path.join(paths["share"], "fish/vendor_completions.d", self.name + ".fish"): FISH,
        }
        self.files = {path: text.format(**values).encode() for path, text in places.items()}

    @property
    def paths(self):
        """All of them, in the order in which they come; the link is the last."""
        return [*self.files, self.link] if self.link else []

    def directories(self):
        """The directories that they are in."""
        return sorted({os.path.dirname(path) for path in self.paths})

    def is_ours(self, path):
        if path == self.link:
            with contextlib.suppress(OSError):
                return os.readlink(path) == self.made_with
            return False
        return self.mark.encode() in (content_of(path) or b"").splitlines()

    def ours(self):
        """The paths that are there and that the role made; the link comes first, and goes first."""
        return [path for path in reversed(self.paths) if self.is_ours(path)]

    def strangers(self):
        """A sentence for each path that somebody else has taken."""
        return [
            f"{path} is not of this installation and stays as it is."
            for path in self.paths
            if os.path.lexists(path) and not self.is_ours(path)
        ]

    def different(self, wanted):
        """``{path: sentence}`` of what has to change."""
        if not wanted:
            return {path: f"remove {path}" for path in self.ours()}
        found = {}
        for path in self.paths:
            ours = self.is_ours(path)
            if not ours and os.path.lexists(path):
                continue
            if path == self.link and not ours:
                found[path] = f"link {path} to {self.launcher}"
            elif path != self.link and not self.is_right(path):
                found[path] = f"write {path}"
        return found

    def is_right(self, path):
        return content_of(path) == self.files[path] and mode_of(path) == self.mode(path)

    def mode(self, path):
        return self.modes[path == self.launcher]

    def put(self, wanted, check_mode):
        """Have the command there, or not; returns ``(sentences, complaints)``.

        It is a convenience: where it cannot be written, the installation is none the worse.
        """
        done, complaints = [], self.strangers() if wanted else []
        for path, sentence in self.different(wanted).items():
            try:
                if check_mode:
                    pass
                elif not wanted:
                    os.unlink(path)
                else:
                    make_directories(os.path.dirname(path), self.modes[1])
                    if path == self.link:
                        link(path, self.launcher)
                    else:
                        write(path, self.files[path], self.mode(path))
                done.append(sentence)
            except OSError as error:
                complaints.append(f"{path} was left as it is: {error.strerror}.")
        return done, complaints


def content_of(path):
    """The bytes of a file that may be ours, or ``None``: links and pipes are none."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return None
            return file.read(FILE_BYTES)
    except OSError:
        return None
