#!/bin/bash
# Runs on a host with systemd that is its own controller, as the one whose watch it shall be: sets it up, lets three hosts get worse
# and well again, and takes it off. Ends with a sentence where something is not as it should be.
set -euo pipefail
scope=$1 units=$2 folder=$3
cd
export XDG_RUNTIME_DIR=/run/user/$UID ANSIBLE_CONFIG=/opt/controller/ansible.cfg ANSIBLE_NOCOLOR=1 LC_ALL=C.UTF-8
systemctl="systemctl --$scope"

wrong() {
  echo "$*" >&2
  exit 1
}

cat >hosts.yml <<'END'
comfyui:
  hosts:
    here: {comfywatchman_scope: system}
    here-user: {comfywatchman_instance: user}
    far: {ansible_python_interpreter: /opt/far, comfywatchman_scope: system}
  vars:
    ansible_connection: local
    ansible_python_interpreter: /usr/bin/python3
    comfywatchman_user: artist
    comfywatchman_comfyui_dir: /srv/Comfy UI
    comfywatchman_watch_command: [/bin/sh, -c, 'cat >>"$HOME/told"; echo "$COMFYWATCHMAN_TOPICS" >>"$HOME/topics"']
    comfywatchman_watch_ping_url_file: "{{ '~/ping' | expanduser }}"
END
(umask 077 && echo "http://127.0.0.1:8000/$scope" >ping)
rm -f told topics
lingered=$(loginctl show-user "$USER" --property=Linger 2>/dev/null || true)

# playbook CHANGES [ARGUMENT...]
playbook() {
  /opt/controller/bin/ansible-playbook --inventory hosts.yml /opt/controller/playbooks/watch.yml "${@:2}" >output 2>&1 ||
    wrong "$(cat output)"
  grep --quiet --extended-regexp "changed=$1 " output || wrong "not changed=$1: $(cat output)"
}

look() {
  $systemctl start comfywatchman.watch.service || wrong "$(journalctl --quiet --lines=40)"
}

is_told() {
  [[ $(cat topics) == "$1" ]] || wrong "told: $(cat topics), not: $1. $(cat told)"
}

playbook '[1-9]' --check --diff
[[ ! -e $folder && ! -e $units/comfywatchman.watch.timer ]] || wrong "--check has made something"
playbook '[1-9]'
playbook 0
playbook 0 --check --diff
[[ $($systemctl is-active comfywatchman.watch.timer) == active ]] || wrong "the timer does not wait"

look
is_told summary
grep --quiet 'watching 3 hosts: 3 well' told || wrong "$(cat told)"
sudo systemctl stop comfywatchman.timer
sudo mv /opt/far /opt/not-far
look
look
is_told $'summary\nsilent,problem'
grep --quiet 'far fell silent: ' told || wrong "$(cat told)"
grep --quiet 'here has a problem: ' told || wrong "$(cat told)"
sudo systemctl start comfywatchman.timer
sudo mv /opt/not-far /opt/far
look
is_told $'summary\nsilent,problem\nwell'
pings=$(grep --only-matching "\"/$scope[^?]*" /run/webhook.jsonl | tr '\n' ' ')
[[ $pings == "\"/$scope/start \"/$scope \"/$scope/start \"/$scope/fail \"/$scope/start \"/$scope/fail \"/$scope/start \"/$scope " ]] ||
  wrong "pings: $pings"

playbook '[1-9]' --extra-vars comfywatchman_watch_state=absent --check
[[ -e $folder && -e $units/comfywatchman.watch.timer ]] || wrong "--check has removed something"
playbook '[1-9]' --extra-vars comfywatchman_watch_state=absent
playbook 0 --extra-vars comfywatchman_watch_state=absent
left=$(ls -d "$folder" "$units"/*watch* /var/lib/systemd/timers/*watch* ~/.local/share/systemd/timers/*watch* 2>/dev/null || true)
[[ -z $left ]] || wrong "left: $left"
[[ $($systemctl list-units --all --plain --no-legend '*watch.*') == "" ]] || wrong "units are left"
[[ $(loginctl show-user "$USER" --property=Linger 2>/dev/null || true) == "$lingered" ]] || wrong "lingering is not as it was"
