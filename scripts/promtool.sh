#!/bin/bash
# Takes promtool out of Debian's package "prometheus" and puts it into build/. The package itself is
# not installed: it would bring a server, its user and a service.
set -eu
cd "$(dirname "$0")/.."
mkdir -p build/deb
cd build/deb
echo "  GET   promtool"
apt-get download prometheus >log 2>&1 || { echo "deps: no promtool (build/deb/log says why)" >&2; exit 0; }
dpkg-deb --fsys-tarfile prometheus_*.deb | tar -xO ./usr/bin/promtool >../promtool.new
chmod 755 ../promtool.new
mv ../promtool.new ../promtool
rm -f prometheus_*.deb
