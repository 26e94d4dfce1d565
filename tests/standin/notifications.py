"""A stand-in for what shows notifications on a desktop: the one method that is called, on a bus.

``python -m tests.standin.notifications ADDRESS FILE`` writes what it is sent into the file, a JSON
line each. It numbers notifications from 41 on, and keeps the number of one that is replaced.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from jeepney import HeaderFields, MessageType, new_error, new_method_return
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import open_dbus_connection

NAME = "org.freedesktop.Notifications"


def main(address: str, file: Path) -> None:
    number = 40
    with open_dbus_connection(bus=address) as connection:
        connection.send_and_get_reply(message_bus.RequestName(NAME))
        file.touch()
        while True:
            asked = connection.receive()
            if asked.header.message_type is not MessageType.method_call:
                continue
            if asked.header.fields.get(HeaderFields.member) != "Notify":
                connection.send(new_error(asked, "org.freedesktop.DBus.Error.UnknownMethod"))
                continue
            _, replaces, _, summary, body, actions, hints, _ = asked.body
            number = replaces or number + 1
            seen = {"number": number, "replaces": replaces, "summary": summary, "body": body}
            seen |= {"actions": actions, "urgency": hints["urgency"][1]}
            with file.open("a") as stream:
                stream.write(f"{json.dumps(seen)}\n")
            connection.send(new_method_return(asked, "u", (number,)))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
