# Shared by all scripts here: messages, times, hash checks, the download cache. Source it, do not run it.
# shellcheck shell=bash
set -euo pipefail

LOAM_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
LOAM_CACHE="${LOAM_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/loam}"
LOAM_OFFLINE="${LOAM_OFFLINE:-0}"
LOAM_JOBS="${LOAM_JOBS:-$(nproc 2>/dev/null || echo 2)}"
downloads="$LOAM_CACHE/downloads"
logs="$LOAM_ROOT/build/logs"
export LOAM_CACHE LOAM_OFFLINE LOAM_JOBS
# A second clone at another path finds the first one's objects: ccache then looks at paths from the root of the tree.
export CCACHE_BASEDIR="$LOAM_ROOT" CCACHE_NOHASHDIR=1

now() { echo "${EPOCHREALTIME/,/.}"; }
since() { LC_ALL=C awk -v a="$1" -v b="$(now)" 'BEGIN { d = b - a; if (d < 60) printf "%.1f s", d; else printf "%d min %02d s", d / 60, d % 60 }'; }

# step NAME WHAT: starts a step. On a terminal it shows what is going on until the step ends.
step_name="" step_start=""
step() {
  step_name="$1" step_start="$(now)"
  if [ -t 1 ]; then printf '  %-10s %s ...\r' "$1" "$2"; fi
}
# finished WHAT: ends the step with one line and its time.
finished() {
  if [ -t 1 ]; then printf '\r\033[K'; fi
  printf '  %-10s %-60s %s\n' "$step_name" "$1" "$(since "$step_start")"
}
note() { printf '  %-10s %s\n' "" "$*"; }
warn() { printf '  %-10s note: %s\n' "${step_name:-}" "$*" >&2; }

# fail KIND PLACE MESSAGE NEXT_STEP: the one way in which these scripts stop.
fail() {
  if [ -t 1 ]; then printf '\r\033[K'; fi
  printf '\n%s: %s: %s\nNext step: %s\n' "$1" "$2" "$3" "$4" >&2
  exit 2
}

# logged NAME COMMAND...: runs a command with its output in build/logs/NAME.log; shows the end of it on failure.
logged() {
  local name="$1" log status=0
  shift
  mkdir -p "$logs"
  log="$logs/$name.log"
  "$@" >"$log" 2>&1 </dev/null || status=$?
  if [ "$status" -ne 0 ]; then
    printf '\n--- the last lines of %s\n' "$log" >&2
    tail -n 25 "$log" >&2
    return "$status"
  fi
}

offline() { [ "$LOAM_OFFLINE" = 1 ]; }
has() { command -v "$1" >/dev/null 2>&1; }
sha256_of() { sha256sum "$1" | cut -d' ' -f1; }

# check_hash FILE EXPECTED: stops when the file is not what was pinned. The file is put aside, never used.
check_hash() {
  local found
  found="$(sha256_of "$1")"
  if [ "$found" != "$2" ]; then
    mv -f "$1" "$1.rejected"
    fail "bad data" "$1" "wrong SHA-256
  expected $2
  found    $found" \
      "run the same command again: the file was put aside as ${1##*/}.rejected and will be fetched afresh. If it happens again, do not use it and tell us."
  fi
}

# from_cache FILE HASH: true when the cache holds the file; stops when it holds another one.
from_cache() {
  [ -f "$downloads/$1" ] || return 1
  check_hash "$downloads/$1" "$2"
}

# need_network WHAT SIZE: stops when off-line.
need_network() {
  if offline; then
    fail "unavailable" "$1" "not on this machine, and --offline allows no download" \
      "run once without --offline ($2), or copy it to $downloads/"
  fi
}

# Half downloads of runs that were stopped.
sweep_partial() { find "$downloads" -maxdepth 1 -name '.partial.*' -mmin +120 -exec rm -rf {} + 2>/dev/null || true; }

# pip_fetch PACKAGE==VERSION FILE HASH SIZE: one wheel into the cache.
pip_fetch() {
  local package="$1" file="$2" hash="$3" size="$4" partial
  if from_cache "$file" "$hash"; then return 0; fi
  need_network "$package" "$size"
  mkdir -p "$downloads"
  sweep_partial
  partial="$(mktemp -d "$downloads/.partial.XXXXXX")"
  local pip=(python3 -m pip)
  if [ -x /usr/bin/python3 ] && /usr/bin/python3 -m pip --version >/dev/null 2>&1; then pip=(/usr/bin/python3 -m pip); fi
  local attempt
  for attempt in 1 2 3; do
    if logged "fetch-${package%%=*}" "${pip[@]}" download --no-deps --only-binary=:all: --no-cache-dir \
      --disable-pip-version-check --progress-bar off --dest "$partial" "$package" 2>"$partial/.err"; then
      break
    fi
    if [ "$attempt" = 3 ]; then
      cat "$partial/.err" >&2
      rm -rf "$partial"
      fail "unavailable" "$package" "pip could not download it in three attempts" "check the network and run the same command again"
    fi
    sleep "$((attempt * 3))"
  done
  if [ ! -f "$partial/$file" ]; then
    local got
    got="$(cd "$partial" && echo *.whl)"
    rm -rf "$partial"
    fail "bad data" "$package" "expected the file $file, pip brought $got" "this machine's Python or processor differs from the pinned one; see docs/decisions/"
  fi
  mv -f "$partial/$file" "$downloads/$file"
  rm -rf "$partial"
  check_hash "$downloads/$file" "$hash"
}

# npm_fetch PACKAGE@VERSION FILE HASH SIZE: one package tarball into the cache. npm comes from Debian at need.
npm_fetch() {
  local package="$1" file="$2" hash="$3" size="$4" partial attempt
  if from_cache "$file" "$hash"; then return 0; fi
  need_network "$package" "$size"
  if ! has npm; then "$LOAM_ROOT/scripts/packages" --also npm; fi
  mkdir -p "$downloads"
  partial="$(mktemp -d "$downloads/.partial.XXXXXX")"
  for attempt in 1 2 3; do
    if (cd "$partial" && logged "fetch-${package%%@*}" npm pack --ignore-scripts --no-audit --no-fund --no-update-notifier --cache "$partial/npm-cache" "$package") 2>"$partial/.err"; then
      break
    fi
    if [ "$attempt" = 3 ]; then
      cat "$partial/.err" >&2
      rm -rf "$partial"
      fail "unavailable" "$package" "npm could not download it in three attempts" "check the network and run the same command again"
    fi
    sleep "$((attempt * 3))"
  done
  [ -f "$partial/$file" ] || fail "bad data" "$package" "npm did not bring $file" "tell us; the log is $logs/fetch-${package%%@*}.log"
  mv -f "$partial/$file" "$downloads/$file"
  rm -rf "$partial"
  check_hash "$downloads/$file" "$hash"
}

# unzip_to FILE FOLDER [MEMBER PREFIX...]: unpacks a wheel without needing unzip. Python's zipfile keeps
# members inside the folder.
unzip_to() {
  python3 - "$@" <<'PYTHON'
import sys, zipfile
archive, folder, *prefixes = sys.argv[1:]
with zipfile.ZipFile(archive) as wheel:
    names = [n for n in wheel.namelist() if not prefixes or any(n.startswith(p) for p in prefixes)]
    if not names:
        sys.exit(f"{archive}: none of {prefixes} is in it")
    wheel.extractall(folder, names)
PYTHON
}

# one_at_a_time: two set-ups in one tree wait for each other.
one_at_a_time() {
  mkdir -p "$LOAM_ROOT/build"
  if [ "${LOAM_LOCKED:-}" != "$LOAM_ROOT" ] && has flock; then
    exec 9>"$LOAM_ROOT/build/.setup.lock"
    if ! flock -n 9; then
      warn "another set-up is running in this folder; waiting for it"
      flock 9
    fi
    export LOAM_LOCKED="$LOAM_ROOT"
  fi
}
