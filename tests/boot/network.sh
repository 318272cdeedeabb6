#!/bin/sh
# Networks: through passt the guest gets an address, reaches servers on this host's loopback, resolves names and is reached
# through forwarded ports; through a tap device likewise. All in a network namespace of its own: nothing leaves it.
set -u

address=198.51.100.2
gateway=198.51.100.1
name=files.subring.test
port=8123

inside() {
	ip link set lo up &&
		ip link add net0 type veth peer name net1 &&
		ip addr add $address/24 dev net0 &&
		ip link set net0 up &&
		ip link set net1 up &&
		ip route add default via $gateway
}

if [ "${1:-}" != --inside ]; then
	user=--map-root-user
	[ "$(id -u)" != 0 ] || user=
	if ! unshare $user --net --mount true 2>/dev/null; then
		echo "skipped: this host lets nobody but root make a network namespace"
		echo "0 passed, 0 failed"
		exit 0
	fi
	exec unshare $user --net --mount "$0" --inside
fi
inside || exit 1

. "$(dirname "$0")/lib.sh"
servers=
cleanup() {
	[ -z "$servers" ] || kill $servers
}

# ---- what the guest finds on this host ----

echo "nameserver 127.0.0.1" >"$scratch/resolv.conf"
mount --bind "$scratch/resolv.conf" "$(readlink -f /etc/resolv.conf)"
mkdir "$scratch/www"
dd if=/dev/urandom of="$scratch/www/data" bs=64k count=64 2>/dev/null
sum=$(sha256sum <"$scratch/www/data")
python3 tests/boot/resolver.py $name $gateway >"$scratch/resolver" &
servers=$!
python3 -m http.server $port --bind 127.0.0.1 --directory "$scratch/www" >/dev/null 2>&1 &
servers="$servers $!"
fetch() { # URL
	python3 -c "import sys, urllib.request; sys.stdout.buffer.write(urllib.request.urlopen('$1').read())" 2>&1
}
for attempt in 1 2 3 4 5 6 7 8 9 10; do
	! fetch http://127.0.0.1:$port/data >/dev/null || break
	sleep 0.5
done

cat >"$scratch/fetch.sh" <<SCRIPT
echo "address: \$(ip -4 -o addr show eth0 | awk '{ print \$4 }')"
router=\$(ip route | awk '/^default/ { print \$3 }')
echo "router: \$router"
echo "by gateway: \$(wget -q -O - "http://\$router:$port/data" | sha256sum)"
nslookup $name | sed 's/^/nslookup: /'
echo "by name: \$(wget -q -O - "http://$name:$port/data" | sha256sum)"
nslookup nothing.subring.test >/dev/null 2>&1 || echo "no such name"
SCRIPT

fetches() { # who it is
	equal "$1: the run ends with status 0" "$status" 0
	matches "$1: DHCP gives the guest this host's address" "$scratch/log" "^address: $address/24"
	matches "$1: and a gateway" "$scratch/log" "^router: $gateway"
	matches "$1: through the gateway it fetches from a server on loopback, every byte right" "$scratch/log" "^by gateway: $sum"
	matches "$1: it resolves a name through the host's resolver" "$scratch/log" "^nslookup: Address.*$gateway"
	matches "$1: and fetches by that name" "$scratch/log" "^by name: $sum"
	matches "$1: a name that does not exist does not resolve" "$scratch/log" "^no such name"
}

run_script "$scratch/fetch.sh" --net mode=user
fetches "user network"
run_script "$scratch/fetch.sh" --net mode=user --cpus 2
fetches "user network, 2 processors"

if [ "$(id -u)" = 0 ] && setpriv --reuid 65534 --regid 65534 --clear-groups true 2>/dev/null; then
	# Somebody without any privilege, and without access to where we are.
	cp "$SUBRING" "$scratch/subring"
	cp "$KERNEL" "$scratch/vmlinuz"
	chmod a+r "$scratch/vmlinuz" "$scratch/script.cpio"
	chmod a+rx "$scratch"
	(cd "$scratch" && setpriv --reuid 65534 --regid 65534 --clear-groups ./subring run --kernel vmlinuz --initrd script.cpio \
		--append "quiet subring.script=/test" --timeout 900 --net mode=user </dev/null) >"$scratch/log.raw" 2>"$scratch/messages"
	status=$?
	tr -d '\r' <"$scratch/log.raw" >"$scratch/log"
	fetches "user network without privileges"
else
	skip "user network without privileges" "needs root, to give it up"
fi

# ---- the guest as a server ----

cat >"$scratch/serve.sh" <<'SCRIPT'
mkdir /tmp/www
echo "from the guest" >/tmp/www/page
httpd -p 80 -h /tmp/www
echo serving
sleep 600
SCRIPT
initrd_with "$scratch/serve.cpio" "$scratch/serve.sh=test"
"$SUBRING" run --kernel "$KERNEL" --initrd "$scratch/serve.cpio" --append "quiet subring.script=/test" --timeout 900 \
	--net mode=user,forward=8080:80 --serial "file=$scratch/serial" </dev/null 2>"$scratch/messages" &
guest=$!
until grep -qs ^serving "$scratch/serial" || ! kill -0 $guest; do sleep 0.2; done
"$SUBRING" run --kernel "$KERNEL" --net mode=user,forward=8080:80 --timeout 1 </dev/null 2>"$scratch/second" >/dev/null
equal "a forwarded port that is in use is refused" $? 3
matches "... and the message says which, and what to do" "$scratch/second" 'port 8080 of 127.0.0.1: Address already in use; choose another'
equal "forward=8080:80: a program on this host reaches the guest's server" "$(fetch http://127.0.0.1:8080/page)" "from the guest"
kill -KILL $guest 2>/dev/null
wait $guest 2>/dev/null
free=no
for attempt in 1 2 3 4 5 6 7 8 9 10; do
	python3 -c "import socket; s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('127.0.0.1', 8080)); s.listen()" \
		2>/dev/null && free=yes && break
	sleep 1
done
equal "a Subring that is killed leaves no passt behind: the port is free" $free yes

# ---- passt that is missing or fails ----

mkdir "$scratch/none" "$scratch/broken" "$scratch/short"
printf '#!/bin/sh\necho "Failed to send 3 bytes to syslog" >&2\necho "No routable interface" >&2\nexit 1\n' >"$scratch/broken/passt"
printf '#!/bin/sh\nexit 0\n' >"$scratch/short/passt"
chmod +x "$scratch/broken/passt" "$scratch/short/passt"
PATH="$scratch/none" "$SUBRING" run --kernel "$KERNEL" --net mode=user </dev/null >/dev/null 2>"$scratch/messages"
equal "without passt mode=user is refused" $? 3
matches "... and the message says what to install" "$scratch/messages" 'install package passt'
PATH="$scratch/broken:$PATH" "$SUBRING" run --kernel "$KERNEL" --net mode=user </dev/null >/dev/null 2>"$scratch/messages"
equal "a passt that fails ends the run" $? 3
matches "... with its own words" "$scratch/messages" 'passt does not work here: No routable interface'
PATH="$scratch/short:$PATH" "$SUBRING" run --kernel "$KERNEL" --net mode=user --timeout 3 </dev/null >/dev/null 2>"$scratch/messages"
equal "a passt that ends early leaves the machine running" $? 124
matches "... and a warning" "$scratch/messages" "warning: the network's other end is gone"

# ---- a tap device ----

"$SUBRING" run --kernel "$KERNEL" --net mode=tap,ifname=none7 </dev/null >/dev/null 2>"$scratch/messages"
equal "a tap device that does not exist is refused" $? 3
matches "... and the message says how to make one" "$scratch/messages" "tap device 'none7' does not exist; make it with .ip tuntap add"
if ip tuntap add dev tap7 mode tap 2>/dev/null; then
	ip addr add 10.7.0.1/24 dev tap7
	ip link set tap7 up
	python3 -m http.server $port --bind 10.7.0.1 --directory "$scratch/www" >/dev/null 2>&1 &
	servers="$servers $!"
	cat >"$scratch/tap.sh" <<-SCRIPT
		ip addr add 10.7.0.2/24 dev eth0
		echo "mac: \$(cat /sys/class/net/eth0/address)"
		echo "by tap: \$(wget -q -O - http://10.7.0.1:$port/data | sha256sum)"
		ping -c 3 -W 5 10.7.0.1 | grep 'packets received'
	SCRIPT
	run_script "$scratch/tap.sh" --net mode=tap,ifname=tap7,mac=52:54:00:aa:bb:cc
	matches "tap: the guest fetches from a server of this host, every byte right" "$scratch/log" "^by tap: $sum"
	matches "tap: its card has the address that mac= gives" "$scratch/log" '^mac: 52:54:00:aa:bb:cc'
	matches "tap: ping is answered" "$scratch/log" '3 packets received'
else
	skip "tap device" "making one needs root"
fi

finish
