#!/bin/bash
# What a context sees as /: copy-on-write over the host, uppers that are bounded, directories,
# binds, hidden paths, devices, secrets, and the files made for it.
. "$(dirname "$0")/../lib/harness.sh"
start_daemon
chmod 755 "$WARD_DIR"
shared=$WARD_DIR/shared tree=$WARD_DIR/tree
mkdir -p "$shared/sub" "$tree"/{bin,etc,tmp,proc,sys,dev,mnt,root,usr}
echo one >"$shared/file"
echo two >"$shared/sub/file"
cp /bin/busybox "$tree/bin/" && for a in sh cat ls id touch stat mount echo; do ln -s busybox "$tree/bin/$a"; done
echo tree >"$tree/etc/name"

# --- root = host, copy-on-write ---
sum() { { cat /etc/passwd; ls -la --time-style=full-iso /etc /usr /var /opt; } | sha256sum; }
host=$(sum)
run_sh -- 'echo changed >>/etc/passwd; rm -rf /usr/share/doc /var/lib/dpkg; mkdir /new; touch /opt/x
	chmod 700 /usr; mv /etc/hosts /etc/moved 2>/dev/null; ls -d /new /opt/x; tail -n 1 /etc/passwd'
like "a context can change everything" "$OUT" '^changed$'
is "and the host notices nothing" "$(sum)" "$host"
run_sh -- 'cat /etc/debian_version /bin/true | sha256sum'
is "files of the host are seen as they are" "$OUT" "$(cat /etc/debian_version /bin/true | sha256sum)"
run_sh -- 'stat -c "%u %g %a" /etc/passwd /bin/true'
is "with their owners" "$OUT" "$(stat -c '%u %g %a' /etc/passwd /bin/true)"
run_sh -- 'echo x >>/etc/passwd; chown 12:34 /etc/passwd; stat -c "%u %g" /etc/passwd'
is "a copied-up file can be given away inside" "$OUT" "12 34"
run_sh -- 'ls -d /new /opt/x 2>&1'
unlike "the next throwaway begins afresh" "$OUT" '^/new$'

# --- a bounded upper in memory ---
df_host() { df --output=avail -k / | tail -n 1; }
free_mem() { awk '/^MemAvailable/ { print $2 }' /proc/meminfo; }
disk=$(df_host)
run_sh --set files.upper=tmpfs:16M -- 'dd if=/dev/zero of=/fill bs=1M count=100 2>&1; stat -c %s /fill; rm /fill; echo after >/ok && cat /ok'
like "a full upper says ENOSPC" "$OUT" 'No space left'
less "and has not grown beyond its size" "$(sed -n '/^[0-9]*$/p' <<<"$OUT" | head -n 1)" 16777217
like "the context can go on after it makes room" "$OUT" '^after$'
less "the host's disk did not shrink (KB)" $((disk - $(df_host))) 20000
run_sh --set files.upper=tmpfs:16M -- 'i=0; while [ $i -lt 200000 ]; do : >/tmp/f$i 2>/dev/null || break; i=$((i+1)); done; echo $i'
less "a flood of empty files ends as well" "$(tail -n 1 <<<"$OUT")" 200000

# --- a kept upper ---
ini keeper <<-END
	[context]
	command = sleep 1000
	[files]
	upper = kept:24M
END
check "a context with a kept upper starts" ctl start keeper
in_ctx keeper 'echo stays >/var/kept; rm /etc/hostname 2>/dev/null; rm -rf /usr/share/doc; echo here'
like "it can be changed" "$OUT" here
check "it stops" ctl stop keeper --timeout 1s
check "and starts again" ctl start keeper
in_ctx keeper 'cat /var/kept; ls /usr/share/doc 2>&1 | head -n 1'
like "what was written is there" "$OUT" '^stays$'
like "what was removed is not" "$OUT" 'No such file|^$|cannot access'
is "and the host has it all" "$(test -d /usr/share/doc && sum)" "$host"
disk=$(df_host)
in_ctx keeper 'dd if=/dev/zero of=/var/fill bs=1M count=100 2>&1; sync; stat -c %s /var/fill'
like "a full kept upper says ENOSPC" "$OUT" 'No space left'
less "and has not grown beyond its size" "$(tail -n 1 <<<"$OUT")" 25165825
less "the host lost no more than that (KB)" $((disk - $(df_host))) 60000
in_ctx keeper 'rm /var/fill; echo alive >/var/kept && cat /var/kept'
is "it can go on" "$OUT" alive
is "its owner on the host is root, unreadable for others" \
	"$(find "$WARD_DIR/state" -type f -perm /077 2>/dev/null | grep keeper)" ""
ctl stop keeper --timeout 1s
check "delete removes what it kept" ctl delete keeper
is "nothing of it is on the disk" "$(find "$WARD_DIR/state" -name '*keeper*')" ""

# --- a changed host below a kept upper ---
ini stale <<-END
	[context]
	command = sleep 1000
	[files]
	upper = kept:24M
END
ctl start stale && ctl stop stale --timeout 1s
is "an unchanged host is no warning" "$(ctl show stale --json | jq -c '.warnings // []')" '[]'
# the note of what the host was says something else now, as after an upgrade
sed -i 's/^packages \(.*\) .* .*$/packages \1 1.000000000 1/' "$WARD_DIR/state/uppers/stale.host"
like "a host that has changed underneath is a warning of show" \
	"$(ctl show stale --json | jq -r '.warnings[]')" 'changed.*packages'
like "and of list" "$(ctl list --json | jq -r '.[] | select(.name == "stale") | .warnings[]')" 'changed'

# --- root = DIRECTORY ---
in_tree() { # MODE SCRIPT
	OUT=$(ctl run --set files.root="$tree" --set files.mode="$1" -- /bin/sh -c "$2" 2>&1 </dev/null)
	RC=$?
}
for mode in cow read-only read-write; do
	in_tree $mode 'cat /etc/name; ls /usr/bin 2>/dev/null | head -n 3; ls -d /var /home /opt 2>/dev/null'
	is "a directory is the root ($mode), and nothing else" "$OUT" tree
	in_tree $mode 'echo written >/etc/new && echo done; ls /proc/self/exe >/dev/null && ls /dev/null'
	case $mode in
	read-only) like "read-only refuses to write" "$OUT" 'Read-only' ;;
	*) like "$mode writes" "$OUT" '^done' ;;
	esac
	like "$mode has /proc and /dev" "$OUT" '/dev/null'
	case $mode in
	read-write) is "read-write reaches the directory, owned by root" "$(stat -c %U "$tree/etc/new")" root ;;
	*) refuse "$mode leaves the directory as it is" test -e "$tree/etc/new" ;;
	esac
done
is "no ids of a context are left in the directory" "$(find "$tree" -not -user root)" ""
run_ctl run --set files.root=/no/such/dir -- true
is "a root that is not there gives 125" "$RC" 125
like "and is named" "$ERR" '/no/such/dir'

# --- binds, tmpfs, hide, devices ---
run_sh --set "files.bind=$shared:/mnt/shared:ro" -- 'cat /mnt/shared/sub/file; echo x >/mnt/shared/file'
like "a read-only bind is seen" "$OUT" '^two$'
like "and refuses to write" "$OUT" 'Read-only'
run_sh --set "files.bind=$shared:/mnt/shared:rw" -- 'echo three >/mnt/shared/new; stat -c %u /mnt/shared/new'
is "a writable bind writes, as root inside" "$OUT" 0
is "and as root outside: no id is changed on disk" "$(stat -c %U "$shared/new")" root
run_sh --set "files.bind=$shared/file:/etc/one:ro" --set "files.bind=$shared" -- "cat /etc/one $shared/file"
is "files can be bound, and the target can be left out" "$OUT" one$'\n'one
run_ctl run --set files.bind=/no/such/source:/mnt -- true
is "a bind without a source gives 125" "$RC" 125
like "and names it" "$ERR" '/no/such/source'
run_sh --set files.tmpfs=/mnt:2M -- 'dd if=/dev/zero of=/mnt/fill bs=1M count=10 2>&1; stat -f -c %T /mnt; stat -c %s /mnt/fill'
like "a tmpfs of a size is bounded" "$OUT" 'No space left'
less "at that size" "$(tail -n 1 <<<"$OUT")" 2097153
run_sh --set files.hide=/usr/share/doc --set files.hide=/etc/passwd -- 'ls -A /usr/share/doc 2>/dev/null; cat /etc/passwd 2>/dev/null; echo end'
is "hidden paths are empty or gone" "$OUT" end
run_sh --set files.hide=/no/such/path -- 'echo ok'
is "hiding what is not there is done already" "$OUT" ok
run_sh -- 'ls -A /dev | tr "\n" " "'
for node in null zero full random urandom tty ptmx pts shm fd stdin stdout stderr; do
	grep -qw "$node" <<<"$OUT" || missing="${missing:-} $node"
done
is "/dev has the standard nodes" "${missing:-}" ""
unlike "and no disk" "$OUT" 'vda|sda|loop|mem|kmsg'
run_sh -- 'echo x >/dev/null && head -c 4 /dev/urandom | wc -c && head -c 2 /dev/zero | wc -c'
is "which work" "$OUT" 4$'\n'2
if [ -e /dev/fuse ]; then
	run_sh --set files.device=/dev/fuse -- 'test -c /dev/fuse && exec 3<>/dev/fuse && echo open'
	is "a device that is named can be opened" "$OUT" open
	run_sh -- 'ls /dev/fuse 2>/dev/null; echo none'
	is "and is not there otherwise" "$OUT" none
fi
run_sh -- 'df -k /dev/shm | tail -n 1; echo x >/dev/shm/x && cat /dev/shm/x'
like "/dev/shm can be written" "$OUT" '^x$'

# --- software, not secrets ---
secret=$(mktemp -d /home/ward-test-XXXXXX 2>/dev/null || echo '')
[ -z "$secret" ] || { chmod 755 "$secret"; echo private >"$secret/file"; }
run_sh -- 'cat /etc/shadow /etc/gshadow 2>/dev/null; true'
unlike "no password hash is to be seen" "$OUT" '\$[0-9a-z]+\$'
run_sh -- 'getent passwd root && grep -c "^root:[*!]" /etc/shadow'
like "root is there, and locked" "$OUT" '^1$'
run_sh -- 'ls -A /root /home/* 2>/dev/null | grep -v ":$" | grep -v "^$"; echo end'
is "/root and the homes are empty" "$OUT" end
[ -z "$secret" ] || rm -rf "$secret"
run_sh -- 'for d in /run /var/log /var/mail /var/spool/mail /etc/ssl/private /etc/sudoers.d; do find $d -type f 2>/dev/null; done
	find /etc/ssh -name "*_key" 2>/dev/null; ls /etc/sudoers 2>/dev/null; echo end'
is "no logs, mail, runtime files, private keys, sudoers" "$(grep -v '^/run/\(lock\|shm\)\?$' <<<"$OUT")" end
run_sh -- "ls -A $WARD_DIR/state $WARD_DIR/run 2>/dev/null | grep -v ':$' | grep -v '^\$'; echo end"
is "Ward's own state is not to be seen" "$OUT" end
unreadable=$(find /etc /opt /srv /var -xdev -type f -not -perm -o=r -size +0 2>/dev/null)
printf '%s\n' "$unreadable" >"$WARD_DIR/shared/unreadable"
run_sh --set "files.bind=$shared:/mnt:ro" -- 'while read -r f; do test -s "$f" && echo "$f"; done </mnt/unreadable; true'
seen=$(grep -vE '^/etc/g?shadow-?$' <<<"$OUT")
is "no file of the host that only root may read shows its content" "$seen" ""
run_sh --set files.show=/root -- 'ls -A /root | head -n 3'
is "show opens a hole by name" "$OUT" "$(ls -A /root | head -n 3)"

# --- files made for the context ---
run_sh --set context.hostname=box -- 'cat /etc/hostname; hostname; getent hosts box | grep -c box; getent hosts localhost | head -n 1'
is "hostname and hosts are its own" "$(head -n 3 <<<"$OUT")" box$'\n'box$'\n'1
run_sh --set network.mode=host -- 'cat /etc/resolv.conf'
is "with the host's network, resolv.conf is the host's" \
	"$(grep ^nameserver <<<"$OUT")" "$(grep ^nameserver /etc/resolv.conf)"
run_sh -- 'echo 10.0.0.1 extra >>/etc/hosts && echo x >/etc/hostname && tail -n 1 /etc/hosts'
like "they can be changed" "$OUT" extra

# --- /proc and /sys ---
run_sh -- 'ls /proc | grep -c "^[0-9]"; echo x 2>&1 >/proc/sys/kernel/hostname; echo 1 >/proc/sysrq-trigger; cat /proc/kcore 2>&1 | head -c 10 | wc -c; cat /proc/1/environ | tr "\0" "\n"'
less "/proc shows only its own processes" "$(head -n 1 <<<"$OUT")" 8
like "sysrq-trigger refuses" "$OUT" 'sysrq-trigger: (Permission|Read-only)|cannot create /proc/sysrq-trigger'
unlike "process 1 shows nothing of the daemon's environment" "$OUT" 'PWD=|WARD|SHELL='
run_sh -- 'mkdir /sys/x 2>&1; echo 1 2>&1 >/sys/kernel/mm/ksm/run'
like "/sys is read-only" "$OUT" 'Read-only|Permission denied|denied'
run_sh -- "cat /proc/self/mountinfo"
unlike "no mount shows paths of the daemon" "$OUT" "$WARD_DIR/(state|run)"
less "the view has few mounts" "$(wc -l <<<"$OUT")" 45
finish
