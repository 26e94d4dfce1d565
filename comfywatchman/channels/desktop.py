"""The user's desktop: org.freedesktop.Notifications, over the user's bus.

A message replaces the one before on the screen. Without a session nobody is there to read it: it
waits for the next login.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfywatchman.channels.sending.target import ChannelError, Target
from comfywatchman.escape import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from comfywatchman.events.message import Message
    from comfywatchman.settings import Settings

KIND = "desktop"
_NAME = "org.freedesktop.Notifications"
_PATH = "/org/freedesktop/Notifications"
_SECONDS = 8.0
"""To wait for each answer; less than a try may take, so that there is a sentence."""
_BODY = 600
"""Characters; a desktop cuts a few lines, and the report has it all."""
_NOBODY = "nobody is logged in to a desktop; it is shown at the next login"
_NO_DAEMON = ("ServiceUnknown", "NameHasNoOwner", "Spawn", "NoReply", "TimedOut", "NoServer")
"""How errors of the bus are named where nothing shows notifications."""
_CGROUP = Path("/proc/self/cgroup")


def configured(settings: Settings) -> bool:
    """Whether messages are to be shown there."""
    return settings.desktop_notifications


def targets(settings: Settings) -> list[Target]:  # noqa: ARG001
    """The desktop."""
    return [Target(KIND, "desktop")]


def markup(text: str) -> str:
    """A text as the body of a notification: nothing in it is markup, or acts on a screen."""
    lines = (visible(line) for line in text.split("\n"))
    return "\n".join(lines).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def address() -> str:
    """The address of the user's bus.

    Raises:
        ChannelError: there is none.
    """
    if given := os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return given
    if "/system.slice/" in _text(_CGROUP):
        raise ChannelError(
            "a service of the system has no desktop: deploy it with comfywatchman_scope user, or "
            "switch desktop_notifications off"
        )
    folder = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    if not Path(folder, "bus").exists():
        raise ChannelError(_NOBODY, waits=True)
    return f"unix:path={folder}/bus"


def send(given: Mapping[str, Any], message: Message, kept: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    """Show it.

    Returns:
        The number the desktop gave it, and of which session that is.

    Raises:
        ChannelError: there is no session, or the desktop refuses it.
    """
    from jeepney import DBusAddress, MessageType, new_method_call
    from jeepney.bus_messages import message_bus
    from jeepney.io.blocking import open_dbus_connection

    bus = address()
    try:
        connection = open_dbus_connection(bus=bus)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        if isinstance(error, FileNotFoundError | ConnectionRefusedError):
            raise ChannelError(_NOBODY, waits=True) from None
        raise ChannelError(f"the user's bus does not answer: {error}") from None
    with connection:
        # Numbers are those of one run of one program, and mean another notification after it.
        whose = connection.send_and_get_reply(message_bus.GetNameOwner(_NAME), timeout=_SECONDS)
        owner = (
            f"{bus} {whose.body[0]}"
            if whose.header.message_type is MessageType.method_return
            else ""
        )
        replaces = kept.get("id", 0) if owner and kept.get("owner") == owner else 0
        urgency = 1 if message.priority == "warning" else 0
        call = new_method_call(
            DBusAddress(_PATH, bus_name=_NAME, interface=_NAME),
            "Notify",
            "susssasa{sv}i",
            (
                "ComfyWatchman",
                replaces,
                "dialog-warning" if urgency else "dialog-information",
                visible(message.subject),
                markup(_cut(message.body)),
                [],
                {"urgency": ("y", urgency), "category": ("s", "device")},
                -1,
            ),
        )
        try:
            reply = connection.send_and_get_reply(call, timeout=_SECONDS)
        except TimeoutError:
            raise ChannelError("the desktop did not answer in time") from None
        if reply.header.message_type is MessageType.error:
            name = reply.header.fields.get(4, "")
            if any(part in name for part in _NO_DAEMON):
                raise ChannelError(_NOBODY, waits=True)
            said = visible(str(reply.body[0]) if reply.body else name, limit=200)
            raise ChannelError(f"the desktop refused it: {said}")
        if not owner:  # it was started by this
            whose = connection.send_and_get_reply(message_bus.GetNameOwner(_NAME), timeout=_SECONDS)
            owner = f"{bus} {whose.body[0]}"
    return {"id": reply.body[0], "owner": owner}


def _cut(text: str) -> str:
    return (
        text if len(text) <= _BODY else f"{text[:_BODY].rpartition(chr(10))[0] or text[:_BODY]}\n…"
    )


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""
