#!/usr/bin/env bash
# `make run`: builds BanGUI and runs it with a private fail2ban, our collector, Jaeger and
# Prometheus, until Ctrl-C. The page comes first; the rest joins as it is ready, and what cannot be
# had is named and left out. It changes nothing on the host: all state lies in .run/, all tools in
# the build cache.
#
# Environment (all optional):
#   RUN_DIR                 where the state lies                       .run
#   RUN_PORT                BanGUI                                     8000
#   RUN_OTLP_GRPC_PORT      the collector's OTLP receiver, gRPC        4317
#   RUN_OTLP_HTTP_PORT      the same, HTTP                             4318
#   RUN_EXPOSITION_PORT     the collector's Prometheus exposition      8889
#   RUN_PROMETHEUS_PORT     Prometheus                                 9090
#   RUN_JAEGER_PORT         Jaeger's query API                         16686
#   RUN_REPLAY              false: no sample attacks are replayed      true
#   RUN_BINARY              a built BanGUI to run instead of building  -
#   BANGUI_ADMIN_PASSWORD   of the account `admin`                     random for each run
# Other BANGUI_* variables reach BanGUI as they are.
#
# Every service is the leader of a session of its own, so that the terminal's Ctrl-C reaches only
# this script, which then ends them in order; only processes of these sessions are ever signalled.
set -euo pipefail

# BanGUI is given this long to finish its requests and to hand its last telemetry on.
readonly BANGUI_STOP_SECONDS=25
readonly OTHERS_STOP_SECONDS=5
# BanGUI recovers from a fail2ban that comes late; a short wait only spares it one warning.
readonly FAIL2BAN_WAIT_SECONDS=4
readonly BANGUI_START_SECONDS=60
# Jaeger is built after the collector, so that one of them is there sooner; not for ever, though.
readonly COLLECTOR_BUILD_WAIT_SECONDS=1200
readonly PROGRESS_SECONDS=15
readonly TICK_SECONDS=0.25

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

# Ports that nobody asks for by number; see take_free_ports.
health_port='' telemetry_port='' own_log_port='' own_log_page_port=''
jaeger_otlp_port='' jaeger_grpc_port='' jaeger_health_port='' jaeger_telemetry_port=''

# Set by a signal: the exit code with which to stop at the next tick.
stop_status=''
on_terminal=false
[ ! -t 1 ] || on_terminal=true

declare -A pid=() state=() since=() title=([fail2ban]=fail2ban [collector]='the collector'
  [jaeger]=Jaeger [prometheus]=Prometheus [replay]='the replay of sample attacks'
  [bangui]=BanGUI [build]='the build')

say() { printf 'run: %s\n' "$*"; }
fail() {
  printf 'run: %s\n' "$*" >&2
  exit 1
}

# ---- Settings -----------------------------------------------------------------------------------

port_variables=(RUN_PORT RUN_OTLP_GRPC_PORT RUN_OTLP_HTTP_PORT RUN_EXPOSITION_PORT
  RUN_PROMETHEUS_PORT RUN_JAEGER_PORT)
: "${RUN_PORT:=8000}" "${RUN_OTLP_GRPC_PORT:=4317}" "${RUN_OTLP_HTTP_PORT:=4318}"
: "${RUN_EXPOSITION_PORT:=8889}" "${RUN_PROMETHEUS_PORT:=9090}" "${RUN_JAEGER_PORT:=16686}"

in_use() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Checked before anything is started: every port that is not ours to take is one clear line.
check_settings() {
  local variable port bad=false
  declare -A owner=()
  for variable in "${port_variables[@]}"; do
    port=${!variable}
    if ! [[ $port =~ ^[1-9][0-9]{0,4}$ ]] || [ "$port" -gt 65535 ]; then
      printf 'run: %s is not a port: %s\n' "$variable" "$port" >&2
      bad=true
    elif [ -n "${owner[$port]:-}" ]; then
      printf 'run: %s and %s are both %s\n' "${owner[$port]}" "$variable" "$port" >&2
      bad=true
    elif in_use "$port"; then
      printf 'run: port %s is in use; choose another one with %s=NUMBER\n' "$port" "$variable" >&2
      bad=true
    fi
    owner[$port]=$variable
  done
  case ${RUN_REPLAY:=true} in
    true | 1 | false | 0) ;;
    *)
      printf 'run: RUN_REPLAY is neither true nor false: %s\n' "$RUN_REPLAY" >&2
      bad=true
      ;;
  esac
  ! $bad || exit 1
}

check_tools() {
  local missing=false
  command -v cargo >/dev/null || PATH=$PATH:$HOME/.cargo/bin
  command -v cargo >/dev/null ||
    { missing=true && printf 'run: cargo is missing: install Rust 1.95 or newer\n' >&2; }
  command -v node >/dev/null ||
    { missing=true && printf 'run: node is missing: install Node.js 20.19 or newer\n' >&2; }
  command -v npm >/dev/null ||
    { missing=true && printf 'run: npm is missing: it comes with Node.js\n' >&2; }
  ! $missing || exit 1
}

# Sets the variables named by the arguments to ports that nobody listens on. They lie below the
# range from which the kernel takes its own; the random start keeps two runs apart.
take_free_ports() {
  local candidate=$((20000 + RANDOM % 9000)) name
  for name in "$@"; do
    while in_use "$candidate" || [[ " ${taken[*]:-} " == *" $candidate "* ]]; do
      candidate=$((candidate + 1))
    done
    taken+=("$candidate")
    printf -v "$name" '%s' "$candidate"
  done
}

# ---- Processes ----------------------------------------------------------------------------------

# Starts a service as the leader of its own session. If this script is killed outright, the kernel
# passes a TERM on to it.
start() {
  local name=$1 log=$2
  shift 2
  setsid setpriv --pdeathsig TERM -- "$@" </dev/null >"$log" 2>&1 9>&- &
  pid[$name]=$! state[$name]=starting since[$name]=$SECONDS
}

alive() { [ -n "${pid[$1]:-}" ] && kill -0 "${pid[$1]}" 2>/dev/null; }

# Signals every process of a service's session: a build's compilers may have groups of their own.
signal_session() {
  local signal=$1 session=$2 stat line fields
  for stat in /proc/[0-9]*/stat; do
    { read -r line <"$stat"; } 2>/dev/null || continue
    # The command's name is in parentheses and may hold spaces; the fields after it may not.
    read -ra fields <<<"${line##*) }"
    if [ "${fields[3]}" = "$session" ] && [ "${fields[0]}" != Z ]; then
      stat=${stat#/proc/}
      kill -s "$signal" "${stat%/stat}" 2>/dev/null || true
    fi
  done
}

# Asks a service to end. One that runs ends its own children; one that is still being built does
# not, so then all of them are asked.
ask_to_end() {
  alive "$1" || return 0
  if [ "${state[$1]}" = ready ]; then
    kill -s TERM "${pid[$1]}" 2>/dev/null || true
  else
    signal_session TERM "${pid[$1]}"
  fi
}

# Waits for a service that was asked to end; what is left of its session then is killed.
finish() {
  local name=$1 until=$((SECONDS + $2))
  [ -n "${pid[$name]:-}" ] || return 0
  while alive "$name" && [ "$SECONDS" -lt "$until" ]; do pause 0.05; done
  signal_session KILL "${pid[$name]}"
  wait "${pid[$name]}" 2>/dev/null || true
  pid[$name]=
}

# A pipe that never has anything to read: waiting on it starts no process.
exec {never}<> <(:)
pause() { read -rt "$1" -u "$never" || true; }

# Lets BanGUI's last lines through; tee ends by itself, because nobody holds its pipe any more.
finish_tee() {
  local until=$((SECONDS + 2))
  [ -n "${tee_pid:-}" ] || return 0
  while kill -0 "$tee_pid" 2>/dev/null && [ "$SECONDS" -lt "$until" ]; do pause 0.02; done
  kill -s KILL "$tee_pid" 2>/dev/null || true
}

# Ends everything, in the order in which telemetry flows, so that the last of it arrives.
end_all() {
  local status=$? name
  trap '' INT TERM HUP PIPE
  trap - EXIT
  { say "stopping"; } 2>/dev/null || true
  for name in replay build; do ask_to_end "$name"; done
  ask_to_end bangui
  finish bangui "$BANGUI_STOP_SECONDS"
  finish_tee
  ask_to_end collector
  finish collector "$OTHERS_STOP_SECONDS"
  for name in jaeger prometheus fail2ban; do ask_to_end "$name"; done
  for name in replay build jaeger prometheus fail2ban; do
    finish "$name" "$OTHERS_STOP_SECONDS"
  done
  { say "stopped"; } 2>/dev/null || true
  exit "$status"
}

# make does not pass on every signal, so a run that has lost its make or its terminal ends too.
check_parent() {
  local parent
  ! $on_terminal || [ -t 1 ] || exit 0
  [ -n "${MAKELEVEL:-}" ] || return 0
  read -r _ _ _ parent _ <"/proc/$$/stat"
  [ "$parent" = "$PPID" ] || exit 1
}

# ---- Services -----------------------------------------------------------------------------------

# Succeeds if a GET on 127.0.0.1 is answered with 200.
http_ok() {
  (
    local line rest count
    exec 3<>"/dev/tcp/127.0.0.1/$1"
    printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n\r\n' "$2" "$1" >&3
    read -rt 2 -u 3 line
    # Hanging up in the middle of an answer would be an error in the server's log.
    for ((count = 0; count < 100; count++)); do read -rt 2 -u 3 rest || break; done
    [[ $line == 'HTTP/1.1 200'* ]]
  ) 2>/dev/null
}

is_ready() {
  case $1 in
    fail2ban) [ -S "$run_dir/fail2ban.sock" ] ;;
    bangui) http_ok "$RUN_PORT" /health ;;
    collector) http_ok "$health_port" / ;;
    jaeger) http_ok "$RUN_JAEGER_PORT" /api/services ;;
    prometheus) http_ok "$RUN_PROMETHEUS_PORT" /-/ready ;;
    replay) alive replay ;;
  esac
}

announce() {
  case $1 in
    fail2ban) say "fail2ban is ready: $shown_dir/fail2ban.sock, its jail sshd reads" \
      "$shown_dir/auth.log" ;;
    collector) say "the collector is ready: OTLP on 127.0.0.1:$RUN_OTLP_GRPC_PORT (gRPC) and" \
      "127.0.0.1:$RUN_OTLP_HTTP_PORT (HTTP), metrics at" \
      "http://127.0.0.1:$RUN_EXPOSITION_PORT/metrics" ;;
    jaeger) say "Jaeger is ready: http://127.0.0.1:$RUN_JAEGER_PORT/api (without a page of its own:" \
      "BanGUI's shows the traces)" ;;
    prometheus) say "Prometheus is ready: http://127.0.0.1:$RUN_PROMETHEUS_PORT" ;;
    replay) say "sample attacks are replayed slowly into $shown_dir/auth.log" \
      "(RUN_REPLAY=false for none)" ;;
  esac
}

# Names a service that has ended, with the last thing that it said, and goes on without it.
give_up() {
  local name=$1 log=$run_dir/$1.log last
  [ "$name" != fail2ban ] || log=$run_dir/fail2ban.out
  last=$(tail -n 1 "$log" 2>/dev/null | cut -c1-200)
  if [ "${state[$name]}" = ready ]; then
    say "${title[$name]} has ended: $last"
  else
    say "left out: ${title[$name]} ($last)"
  fi
  finish "$name" 0
  state[$name]=gone
}

# Looks once at every service beside BanGUI and tells what has changed.
look_after() {
  local name
  for name in fail2ban collector jaeger prometheus replay; do
    case ${state[$name]:-} in
      starting | ready)
        if ! alive "$name"; then
          give_up "$name"
        elif [ "${state[$name]}" = starting ] && is_ready "$name"; then
          state[$name]=ready
          announce "$name"
        fi
        ;;
    esac
  done
}

# Tells now and then what is still being prepared, so that a long build does not look like a hang.
report_progress() {
  local name waiting=()
  [ "$SECONDS" -ge "${next_report:-0}" ] || return 0
  next_report=$((SECONDS + PROGRESS_SECONDS))
  for name in build fail2ban collector jaeger prometheus; do
    if [ "${state[$name]:-}" = starting ] && [ $((SECONDS - since[$name])) -ge 5 ]; then
      waiting+=("${title[$name]} ($((SECONDS - since[$name])) s)")
    fi
  done
  [ ${#waiting[@]} -gt 0 ] || return 0
  say "still being prepared: $(printf '%s, ' "${waiting[@]}" | sed 's/, $//')"
  [ "${state[build]:-}" != starting ] || say "  $(tail -n 1 "$run_dir/build.log" | cut -c1-90)"
}

# ---- The run ------------------------------------------------------------------------------------

prepare_state() {
  run_dir=${RUN_DIR:-.run}
  shown_dir=$run_dir
  # The audit trail and the password are for the owner's eyes only.
  [ -d "$run_dir" ] || (umask 077 && mkdir -p "$run_dir")
  run_dir=$(cd "$run_dir" && pwd)
  exec 9>"$run_dir/lock"
  flock -n 9 || fail "another make run uses $shown_dir; choose another folder with RUN_DIR=FOLDER"
  # Every run is a fresh demo: the account's password is a new one, so the old database would
  # refuse it, and old bans would be of addresses that no log line explains.
  rm -f "$run_dir"/bangui.{db,db-wal,db-shm,db-journal} \
    "$run_dir"/fail2ban.{sock,pid,sqlite3,out} \
    "$run_dir"/{bangui,auth,actions,fail2ban,build,collector,jaeger,prometheus,replay}.log
  : >"$run_dir/auth.log"
  password_file=$run_dir/admin-password
  rm -f "$password_file"
  sign_in="as admin with the password of BANGUI_ADMIN_PASSWORD"
  if [ -n "${BANGUI_ADMIN_PASSWORD:-}" ]; then
    (umask 077 && printf '%s\n' "$BANGUI_ADMIN_PASSWORD" >"$password_file")
  else
    (umask 077 && head -c 15 /dev/urandom | base64 | tr '+/' '-_' >"$password_file")
    sign_in="as admin with the password $(cat "$password_file") (in $shown_dir/admin-password)"
  fi
  # From here on the file is the only place that has it: no service inherits it.
  unset BANGUI_ADMIN_PASSWORD
}

# Builds the page and the binary while fail2ban is fetched and started beside it.
build() {
  if [ -n "${RUN_BINARY:-}" ]; then
    [ -x "$RUN_BINARY" ] || fail "RUN_BINARY is no program: $RUN_BINARY"
    start fail2ban "$run_dir/fail2ban.out" scripts/serve-fail2ban.sh "$run_dir"
    return 0
  fi
  say "building BanGUI (the first time takes some minutes; $shown_dir/build.log)"
  # shellcheck disable=SC2016 # The inner shell expands its own variables.
  start build "$run_dir/build.log" env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL \
    bash -c 'make --no-print-directory ui && exec cargo build --locked --bin bangui'
  start fail2ban "$run_dir/fail2ban.out" scripts/serve-fail2ban.sh "$run_dir"
  while alive build; do
    tick
  done
  local status=0
  wait "${pid[build]}" || status=$?
  state[build]=ready
  if [ "$status" -ne 0 ]; then
    tail -n 30 "$run_dir/build.log" >&2
    fail "BanGUI could not be built: see $shown_dir/build.log"
  fi
}

tick() {
  [ -z "$stop_status" ] || exit "$stop_status"
  look_after
  report_progress
  check_parent
  pause "$TICK_SECONDS"
}

# What BanGUI says on stdout goes to the terminal and into bangui.log; tee has a session of its
# own, so that it outlives Ctrl-C until BanGUI has said its last.
start_bangui() {
  local binary=${RUN_BINARY:-${CARGO_TARGET_DIR:-target}/debug/bangui}
  exec {out}> >(exec setsid tee --output-error=warn-nopipe "$run_dir/bangui.log" 9>&-)
  tee_pid=$!
  # BanGUI starts before the collector and must know where that will tell of itself.
  taken=()
  take_free_ports telemetry_port own_log_page_port
  BANGUI_LISTEN=127.0.0.1:$RUN_PORT \
    BANGUI_DATA_DIR=$run_dir \
    BANGUI_FAIL2BAN_SOCKET=$run_dir/fail2ban.sock \
    BANGUI_ADMIN_PASSWORD_FILE=$password_file \
    BANGUI_METRICS_UPSTREAM_URL=http://127.0.0.1:$RUN_EXPOSITION_PORT/metrics \
    BANGUI_COLLECTOR_METRICS_URL=http://127.0.0.1:$telemetry_port/metrics \
    BANGUI_COLLECTOR_LOG_URL=http://127.0.0.1:$own_log_page_port/logs \
    BANGUI_JAEGER_QUERY_URL=http://127.0.0.1:$RUN_JAEGER_PORT \
    OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:$RUN_OTLP_GRPC_PORT \
    OTEL_EXPORTER_OTLP_PROTOCOL=grpc \
    OTEL_METRIC_EXPORT_INTERVAL=5000 \
    setsid setpriv --pdeathsig TERM -- env -u BANGUI_BUILD_CACHE "$binary" \
    </dev/null >&"$out" 9>&- &
  pid[bangui]=$! state[bangui]=starting since[bangui]=$SECONDS
  # Only BanGUI holds the pipe now: when it ends, tee does.
  exec {out}>&-
}

wait_for_bangui() {
  until is_ready bangui; do
    alive bangui || [ -n "$stop_status" ] || bangui_has_ended
    [ $((SECONDS - since[bangui])) -lt "$BANGUI_START_SECONDS" ] ||
      fail "BanGUI does not answer after $BANGUI_START_SECONDS s: see $shown_dir/bangui.log"
    tick
  done
  state[bangui]=ready
  printf 'ready http://127.0.0.1:%s\n' "$RUN_PORT"
  say "sign in $sign_in"
}

bangui_has_ended() {
  local status=0
  wait "${pid[bangui]}" || status=$?
  fail "BanGUI has ended by itself (exit code $status): see $shown_dir/bangui.log"
}

# Starts what shows BanGUI's telemetry; each of them builds or fetches what it lacks first.
start_backends() {
  taken=("$telemetry_port" "$own_log_page_port")
  take_free_ports health_port own_log_port jaeger_otlp_port jaeger_grpc_port jaeger_health_port \
    jaeger_telemetry_port
  COLLECTOR_DIR=$run_dir/collector OTLP_GRPC_PORT=$RUN_OTLP_GRPC_PORT \
    OTLP_HTTP_PORT=$RUN_OTLP_HTTP_PORT EXPOSITION_PORT=$RUN_EXPOSITION_PORT \
    HEALTH_PORT=$health_port TELEMETRY_PORT=$telemetry_port \
    OWN_LOG_PAGE_PORT=$own_log_page_port OWN_LOG_PORT=$own_log_port \
    JAEGER_OTLP_ENDPOINT=127.0.0.1:$jaeger_otlp_port \
    start collector "$run_dir/collector.log" scripts/serve-collector.sh
  PROMETHEUS_PORT=$RUN_PROMETHEUS_PORT PROMETHEUS_DIR=$run_dir/prometheus PROMETHEUS_PAGE=true \
    PROMETHEUS_TARGET=127.0.0.1:$RUN_PORT \
    PROMETHEUS_COLLECTOR_TARGET=127.0.0.1:$telemetry_port \
    PROMETHEUS_HOST_TARGET=127.0.0.1:$RUN_EXPOSITION_PORT \
    start prometheus "$run_dir/prometheus.log" scripts/serve-prometheus.sh
}

start_jaeger_in_turn() {
  [ -z "${state[jaeger]:-}" ] || return 0
  [ "${state[collector]}" != starting ] ||
    [ $((SECONDS - since[collector])) -ge "$COLLECTOR_BUILD_WAIT_SECONDS" ] || return 0
  JAEGER_QUERY_PORT=$RUN_JAEGER_PORT JAEGER_QUERY_GRPC_PORT=$jaeger_grpc_port \
    JAEGER_OTLP_GRPC_PORT=$jaeger_otlp_port JAEGER_HEALTH_PORT=$jaeger_health_port \
    JAEGER_TELEMETRY_PORT=$jaeger_telemetry_port \
    start jaeger "$run_dir/jaeger.log" scripts/serve-jaeger.sh
}

main() {
  check_tools
  check_settings
  prepare_state
  trap end_all EXIT
  # Ctrl-C is how this is meant to end, so it is no failure. The handlers only leave a note for
  # the next tick: bash forgets the time limit of a `read` that it enters from within a handler.
  trap 'stop_status=0' INT TERM HUP
  trap 'stop_status=1' PIPE
  build
  local until=$((SECONDS + FAIL2BAN_WAIT_SECONDS))
  while [ "${state[fail2ban]}" = starting ] && [ "$SECONDS" -lt "$until" ]; do tick; done
  start_bangui
  wait_for_bangui
  start_backends
  # Without fail2ban nobody would read the lines.
  case $RUN_REPLAY-${state[fail2ban]} in
    *-gone) ;;
    true-* | 1-*)
      start replay "$run_dir/replay.log" scripts/replay-attacks.sh "$run_dir/auth.log"
      ;;
  esac
  # After a signal, the tick ends this before BanGUI's own end is taken for a failure.
  while alive bangui || [ -n "$stop_status" ]; do
    start_jaeger_in_turn
    tick
  done
  bangui_has_ended
}

main "$@"
