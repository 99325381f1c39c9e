#!/usr/bin/env bash
# Runs inside the root that prove_service.sh boots.
set -euo pipefail

say() { echo "### $*"; }
show() { systemctl show echoedge.service --property=ActiveState,SubState,NRestarts,StatusText,MainPID | tr '\n' ' ' && echo; }
main_pid() { systemctl show echoedge.service --property=MainPID --value; }

# Wait until a command succeeds; $1 is the limit in seconds.
until_true() {
    local limit="$1" start="$SECONDS"
    shift
    until "$@"; do
        [ $((SECONDS - start)) -lt "$limit" ] || { say "FAILED: $* after $limit s" && show && journalctl -u echoedge -n 40 --no-pager && exit 1; }
        sleep 0.2
    done
}
ready() { [ "$(systemctl show echoedge.service --property=SubState --value)" = running ]; }
another_pid() { local now && now="$(main_pid)" && [ "$now" != "$1" ] && [ "$now" != 0 ] && ready; }
is_version() { grep -q "\"version\": *\"$1\"" /opt/echoedge/current/release.json; }

systemd-analyze verify /etc/systemd/system/echoedge*.service 2>/dev/null || true
mkdir -p /etc/echoedge
cat >/etc/echoedge/echoedge.toml <<'TOML'
source = "synth://a4c?fps=5&frames=0&size=400"
sinks = ["systemd://", "metrics://127.0.0.1:9108"]
threads = 1
stuck_ms = 60000
age_ms = 60000
TOML
export PATH=/usr/local/bin:$PATH
cd /root
say "install"
/stick/jetson/install.sh --wheels /stick/wheels --no-apt
until_true 300 ready
say "ready at the first picture"
show
systemd-analyze security echoedge.service --no-pager | tail -1
say "its user and what it may not do"
stat -c %U "/proc/$(main_pid)"
grep -E 'NoNewPrivs|CapEff' "/proc/$(main_pid)/status"

say "stopped process: the watchdog must kill it and start another"
old="$(main_pid)"
kill -STOP "$old"
start=$SECONDS
until_true 120 another_pid "$old"
say "another runs $((SECONDS - start)) s after it hung"
show

say "kill -9"
old="$(main_pid)"
kill -9 "$old"
start=$SECONDS
until_true 120 another_pid "$old"
say "another runs $((SECONDS - start)) s later"

say "an update whose version crashes at every start"
echoedge update status
python3 -I - <<'PY'
import json, os, shutil, stat
home = "/opt/echoedge"
os.makedirs(f"{home}/b/venv/bin", exist_ok=True)
os.makedirs(f"{home}/b/engines", exist_ok=True)
with open(f"{home}/b/venv/bin/echoedge", "w") as program:
    program.write("#!/bin/sh\nexit 1\n")
os.chmod(f"{home}/b/venv/bin/echoedge", 0o755)
json.dump({"version": "9.9"}, open(f"{home}/b/release.json", "w"))
import sys
sys.path.insert(0, "/usr/lib/echoedge")
import slots
from pathlib import Path
slots.switch(Path(home), "b")
PY
start=$SECONDS
systemctl restart --no-block echoedge.service
until_true 60 test "$(readlink /opt/echoedge/current)" = b
back() { [ "$(readlink /opt/echoedge/current)" = a ]; }
until_true 60 back
say "the guard went back $((SECONDS - start)) s after the restart, with three failed starts"
until_true 120 ready
say "the old version shows pictures again $((SECONDS - start)) s after the restart"
show
cat /opt/echoedge/audit.jsonl
say "uninstall"
/stick/jetson/install.sh --uninstall --purge
test ! -e /opt/echoedge
touch /stick/proved
