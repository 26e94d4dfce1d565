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
# A user's tells by channels too; it installs what that takes from the wheels that hosts install from.
if [[ $scope == user ]]; then
  cat >>hosts.yml <<'END'
    comfywatchman_watch_notify_urls: [json://127.0.0.1:8000/watched, problem=json://127.0.0.1:8000/problems]
    comfywatchman_pip_environment: {PIP_NO_INDEX: "1", PIP_FIND_LINKS: /opt/share/wheels}
END
fi
(umask 077 && echo "http://127.0.0.1:8000/$scope" >ping)
rm -f told topics

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

# posts PATH TEXT : how often something with the text was posted there.
posts() { grep --fixed-strings "\"/$1\"" /run/webhook.jsonl | grep --fixed-strings --count "$2" || true; }

# For root there is less of it: what differs is where things are.
if [[ $scope == user ]]; then
  playbook '[1-9][0-9]*' --check --diff
  [[ ! -e $folder && ! -e $units/comfywatchman.watch.timer ]] || wrong "--check has made something"
  # Nothing is here that would let users do that: polkit.
  ! (playbook 0) 2>/dev/null || wrong "it would end when $USER logs out"
  grep --quiet "sudo loginctl" output && [[ ! -e $folder ]] || wrong "$(cat output)"
  sudo loginctl enable-linger "$USER"
fi
lingered=$(ls /var/lib/systemd/linger)
playbook '[1-9][0-9]*'
[[ $($systemctl is-active comfywatchman.watch.timer) == active ]] || wrong "the timer does not wait"
look
is_told summary
grep --quiet 'watching 3 hosts: 3 well' told || wrong "$(cat told)"

if [[ $scope == user ]]; then
  playbook 0 --check --diff
  playbook 0
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
  pings=$(grep --only-matching "\"/${scope}[^?]*" /run/webhook.jsonl | cut --delimiter=/ --fields=3 | tr '\n' ' ')
  [[ $pings == "start  start fail start fail start  " ]] || wrong "pings: $pings"
  channels="$(posts watched "watching 3 hosts: 3 well") $(posts watched "far fell silent") $(posts watched "are well again") $(posts problems "far fell silent") $(posts problems title)"
  [[ $channels == "1 1 1 1 1" ]] || wrong "by its channels was told: $channels"
  playbook '[1-9][0-9]*' --extra-vars comfywatchman_watch_state=absent --check
  [[ -e $folder && -e $units/comfywatchman.watch.timer ]] || wrong "--check has removed something"
fi

playbook '[1-9][0-9]*' --extra-vars comfywatchman_watch_state=absent
[[ $scope == system ]] || playbook 0 --extra-vars comfywatchman_watch_state=absent
left=$(ls -d "$folder" {"$units",/var/lib/systemd/timers,~/.local/share/systemd/timers}/*comfywatchman.watch* 2>/dev/null || true)
[[ -z $left ]] || wrong "left: $left"
[[ $($systemctl list-units --all --plain --no-legend 'comfywatchman.watch.*') == "" ]] || wrong "units are left"
[[ $(ls /var/lib/systemd/linger) == "$lingered" ]] || wrong "lingering is not as it was"
