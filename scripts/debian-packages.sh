#!/bin/sh
# Installs what the tests need from Debian or Ubuntu: GStreamer's RTSP server (real cameras), MariaDB, SoftHSM (a PKCS#11
# token in software), Chromium (views in a browser), ffmpeg (a foreign sender and reader of video), and an X server in
# memory with what Qt loads there (the player's window), keys and clicks for it, and the bus of its screen readers.
# It starts no system service and leaves none running: the tests start private servers of their own and end them.
#
# Idempotent; when everything is there it only asks dpkg and is done. Without root it installs nothing, says what is
# missing and how to get it, and exits with 0: the tests that need it are then skipped, each with its reason.
# With --check it only says what is missing, and exits with 1 if anything is.
set -eu

PACKAGES="
gir1.2-gst-rtsp-server-1.0
python3-gi
gstreamer1.0-plugins-base
gstreamer1.0-plugins-good
gstreamer1.0-plugins-bad
gstreamer1.0-plugins-ugly
mariadb-server
softhsm2
python3-venv
chromium
ffmpeg
xvfb
xdotool
dbus-daemon
libegl1
libgl1
libdbus-1-3
libxkbcommon-x11-0
libxcb-cursor0
libxcb-icccm4
libxcb-image0
libxcb-keysyms1
libxcb-render-util0
libxcb-shape0
libxcb-xinerama0
"

say() { printf 'debian-packages: %s\n' "$*"; }

missing() {
    for package in $PACKAGES; do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=absent
        [ "$state" = installed ] || printf '%s ' "$package"
    done
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "this is neither Debian nor Ubuntu; tests with real cameras and MariaDB are skipped unless you provide:" $PACKAGES
    exit 0
fi

wanted=$(missing)
if [ -z "$wanted" ]; then
    say "all there"
    exit 0
fi
if [ "${1:-}" = --check ]; then
    say "missing: $wanted"
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    say "missing: $wanted"
    say "not root, so nothing was installed; tests that need these are skipped. To install them:"
    say "  sudo apt-get update && sudo apt-get install --no-install-recommends $wanted"
    exit 0
fi

# Packages ask policy-rc.d whether they may start their service; 101 means no. An administrator's own is left alone.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM HUP
fi

say "installing: $wanted"
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
# A list of words on purpose: one argument per package.
# shellcheck disable=SC2086
apt-get -q -y install --no-install-recommends $wanted

left=$(missing)
if [ -n "$left" ]; then
    say "still missing after the installation: $left"
    exit 1
fi
say "installed; no service was started"
