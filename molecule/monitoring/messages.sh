#!/bin/bash
# Runs as root on a host with two instances, one in each scope: breaks a workflow, and sees that the unit that sends is started by
# the cycle and holds none up; that what it sends arrives, once, also where it could not be sent at first; and that a desktop is told
# at the next login. Ends with a sentence where something is not as it should be.
set -euo pipefail
home=/home/artist
shown=/run/user/$(id --user artist)/shown
trap 'rm -f /run/webhook.hold' EXIT

wrong() {
  echo "$*" >&2
  exit 1
}

heard() { python3 /opt/webhook.py heard "$@"; }

# of SCOPE : sets what is asked of its instance, and how.
of() {
  case $1 in
    system)
      unit=comfywatchman systemctl=(systemctl)
      program=(env COMFYWATCHMAN_CONFIG=/etc/comfywatchman/config.toml /usr/local/bin/comfywatchman)
      ;;
    user)
      unit=comfywatchman-user systemctl=(systemctl --user --machine=artist@.host)
      program=(runuser --user=artist -- "$home/.local/bin/comfywatchman-user")
      ;;
  esac
}

# sender PROPERTY : of the unit that sends.
sender() { "${systemctl[@]}" show --value --property="$1" "$unit.notify.service"; }

# within_a_minute COMMAND...
within_a_minute() {
  local limit=$((SECONDS + 60))
  until "$@"; do
    ((SECONDS < limit)) || wrong "It never came true: $*"
    sleep 0.1
  done
}
frozen() {
  [[ $(sender ActiveState) == activating ]] && "${systemctl[@]}" kill --signal=STOP "$unit.notify.service" &&
    [[ $(sender ActiveState) == activating ]]
}
fails() {
  local said
  said=$("${program[@]}" status)
  [[ $said == *"json (line 2) could not be reached since "* && $said != *"json (line 1)"* ]]
}
works() { [[ $("${program[@]}" status) != *"could not be reached"* ]]; }
idle() { [[ $(sender ActiveState) == inactive ]]; }

for scope in system user; do
  of "$scope"
  # The webhook was not there yet when the first cycle ended.
  for path in told held; do
    heard "/$path/$scope" "watching" >/dev/null
  done
  within_a_minute works
  rc=0
  said=$("${program[@]}" notify --test 2>&1) || rc=$?
  [[ $(grep --count ': sent$' <<<"$said") == 2 ]] || wrong "a test in scope $scope: $said"
  case $scope in
    system) [[ $rc == 0 ]] || wrong "a test ended with exit code $rc: $said" ;;
    user) [[ $rc == 1 && $said == *"nobody is logged in to a desktop"* ]] || wrong "a test ended with exit code $rc: $said" ;;
  esac
  heard "/held/$scope" "a test of ComfyWatchman" >/dev/null
done

# By way of Prometheus it is told as well, and that it is over before all of this is.
python3 /opt/webhook.py wait firing ComfyWatchmanRegressions/comfywatchman ComfyWatchmanRegressions/comfywatchman-user &
alerts=$!
touch /run/webhook.hold
cp /opt/standin/workflows/broken.json '/srv/Saved Workflows/A portrait, 100% "done".json'
for scope in system user; do
  of "$scope"
  heard "/waiting/held/$scope" " broke " >/dev/null
  heard "/told/$scope" " broke " >/dev/null
  within_a_minute fails
  # From here on one channel alone is tried. Whatever a sender that hangs would hold up, it does for as long as this wants.
  "${systemctl[@]}" start "$unit.service"
  within_a_minute frozen
  began=$(sender InactiveExitTimestampMonotonic)
  "${systemctl[@]}" start "$unit.service"
  [[ $(sender ActiveState) == activating && $(sender InactiveExitTimestampMonotonic) == "$began" ]] ||
    wrong "what sends in scope $scope was not held: $(sender ActiveState)"
  "${systemctl[@]}" kill --signal=CONT "$unit.notify.service"
done
wait "$alerts" || wrong "no alert"

# The channel is back, has the message, and is not told again by the next cycle. (On a host so busy that a try takes its ten seconds
# although the message has arrived, that may have been twice.)
rm /run/webhook.hold
for scope in system user; do
  of "$scope"
  "${systemctl[@]}" start "$unit.service"
  heard "/held/$scope" " broke " >/dev/null
  within_a_minute works
  within_a_minute idle
  before="$(heard "/told/$scope" " broke ") $(heard "/held/$scope" " broke ")"
  "${systemctl[@]}" start "$unit.service"
  within_a_minute idle
  after="$(heard "/told/$scope" " broke ") $(heard "/held/$scope" " broke ")"
  [[ $after == "$before" && $after =~ ^[12]\ [12]$ ]] || wrong "told in scope $scope: $before times, then $after"
done

# Somebody logs in to a desktop, and nothing else has the kept message sent.
of user
"${systemctl[@]}" stop comfywatchman-user.timer
session=$home/.config/systemd/user/desktop.service
cat >"$session" <<END
[Unit]
BindsTo=graphical-session.target
Before=graphical-session.target
[Service]
Type=exec
ExecStart=$home/.local/share/comfywatchman-user/current/venv/bin/python /opt/notifications.py unix:path=%t/bus %t/shown
ExecStartPost=sh -c 'until test -e %t/shown; do sleep 0.1; done'
END
"${systemctl[@]}" daemon-reload
"${systemctl[@]}" start desktop.service
within_a_minute grep --quiet ' broke ' "$shown"
said=$("${program[@]}" notify --test 2>&1) || wrong "with a desktop a test ends with: $said"
grep --quiet 'a test of ComfyWatchman' "$shown" || wrong "shown was: $(cat "$shown")"
"${systemctl[@]}" stop desktop.service
rm "$session"
"${systemctl[@]}" daemon-reload
"${systemctl[@]}" start comfywatchman-user.timer
