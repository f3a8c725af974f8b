#!/usr/bin/env bash
# Installs the Debian packages that Gridroll needs beneath its Python packages.
#
#   deploy/debian-packages.sh demo    to run Gridroll and its demo
#   deploy/debian-packages.sh test    to run the tests too: a database server and a browser
#
# Silent and quick when nothing is missing. Installs through sudo unless root, starts no service.
# PYTHON names the interpreter that .venv is to be made with (python3).
#
# Without the means to install, it prints the command for somebody who has them and exits 1, with
# one exception: the demo can do without an X server, so there a missing one is only mentioned.
set -euo pipefail

mode=${1:-}
[[ $mode == demo || $mode == test ]] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
PATH=$PATH:/usr/sbin:/sbin  # where Debian keeps ldconfig and mariadbd, and a plain user's PATH does not look

say() { printf 'gridroll: %s\n' "$*" >&2; }

# --- what is missing: fills the arrays `needed` (fatal) and `wanted` (the demo manages without)

library() { [[ -z $libraries || $libraries == *[[:space:]]"$1 "* ]] || needed+=("$2"); }
command_() { command -v "$1" >/dev/null || needed+=("$2"); }
wanted_library() { [[ -z $libraries || $libraries == *[[:space:]]"$1 "* ]] || wanted+=("$2"); }

look_at_python() {
  local version
  if command -v "$python" >/dev/null; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])') || version="broken"
    if [[ ! $version =~ ^3\.(1[1-9]|[2-9][0-9])$ ]]; then
      say "Python 3.11 or newer is needed, and $python is $version. Install python3.11 and python3.11-venv (python3 and python3-venv of Debian 12), or name another one: make PYTHON=/path/to/python3.12"
      exit 1
    fi
    "$python" -c 'import ensurepip, venv' 2>/dev/null || needed+=("python$version-venv")
  elif [[ $python == python3 ]]; then
    needed+=(python3-venv)
  else
    say "PYTHON=$python is not to be found. Install it, or name another Python 3.11 or newer."
    exit 1
  fi
}

look() {
  needed=() wanted=()
  libraries=$(ldconfig -p 2>/dev/null || true)

  [[ -x .venv/bin/pip ]] || look_at_python

  # opencv-python loads these on import.
  library libGL.so.1 libgl1
  library libgthread-2.0.so.0 libglib2.0-0
  library libxcb.so.1 libxcb1

  # The simulated class is a window (pygame-ce) on a display of its own, which the agent grabs (mss).
  command -v Xvfb >/dev/null || wanted+=(xvfb)
  wanted_library libX11.so.6 libx11-6
  wanted_library libXext.so.6 libxext6
  wanted_library libxcb-randr.so.0 libxcb-randr0
  wanted_library libxcb-render.so.0 libxcb-render0
  wanted_library libxcb-shm.so.0 libxcb-shm0
  wanted_library libxcb-xfixes.so.0 libxcb-xfixes0

  if [[ $mode == test ]]; then
    needed+=("${wanted[@]}") wanted=()
    # The tests start a MariaDB of their own; the -core packages bring no service.
    command_ mariadbd mariadb-server-core
    command_ my_print_defaults mariadb-client-core  # mariadb-install-db asks it
    command_ chromium chromium
    library libatomic.so.1 libatomic1  # for playwright's driver
    [[ -n $(find /usr/share/fonts /usr/local/share/fonts "${HOME-}/.fonts" -name '*.ttf' -print -quit 2>/dev/null) ]] \
      || needed+=(fonts-dejavu-core)
  fi
}

look
missing=("${needed[@]}" "${wanted[@]}")
((${#missing[@]})) || exit 0

# --- install

as_root=()
why=
if ! command -v apt-get >/dev/null; then
  why="this is no Debian"
elif ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    why="neither root nor sudo here"
  elif sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
  elif [[ -t 0 && -t 2 ]]; then
    as_root=(sudo)
  else
    why="sudo asks for a password, and there is no terminal to ask on"
  fi
fi

if [[ -z $why ]]; then
  say "installing Debian packages: ${missing[*]}"
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  "${as_root[@]}" bash -s -- "${missing[@]}" >"$log" 2>&1 <<'ROOT' || why="apt-get failed: $(grep -m1 '^E:' "$log" || tail -n 1 "$log")"
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d  # while this says 101, packages do not start services
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 1' HUP INT TERM
  printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
fi
install() { apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"; }
# The lists of a fresh machine are empty, those of an old one may name what is gone.
install "$@" </dev/null || { apt-get update -q </dev/null && install "$@" </dev/null; }
ROOT
  # The Python may be there only now, and of the wrong version.
  look
  ((${#needed[@]})) || ((${#wanted[@]})) || exit 0
  missing=("${needed[@]}" "${wanted[@]}")
  why=${why:-"still missing after apt-get"}
fi

# --- or say what to do

command_line="apt-get update && apt-get install --no-install-recommends ${missing[*]}"
if ((${#needed[@]})); then
  cat >&2 <<EOS
gridroll: Debian packages are missing, and I cannot install them ($why).
As root, run:

    $command_line

then run make again.
EOS
  exit 1
fi
say "no X server to show the simulated class on ($why); the demo feeds its frames in directly."
say "To see a screen being grabbed, as root: $command_line"
