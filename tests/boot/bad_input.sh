#!/bin/sh
# Bad input: each mistake gives one line on stderr that says what is wrong and what to do, a status that is not 0, and nothing
# half-done. A row of the tables below is: exit status, what the line says (an extended regular expression), the words
# after `subring`.
set -u
. "$(dirname "$0")/lib.sh"

started=
cleanup() {
	[ -z "$started" ] || kill $started 2>/dev/null
}

# One line, nothing on stdout, and soon: a mistake is found before the guest starts.
bad() { # STATUS REGEX WORD...
	status=$1
	regex=$2
	shift 2
	timeout 120 "$SUBRING" "$@" </dev/null >"$scratch/out" 2>"$scratch/err"
	got=$?
	words=$(echo "$*" | sed "s|$scratch/||g; s|$GUEST/||g" | cut -c 1-90)
	if [ $got != "$status" ]; then
		fail "subring $words" "status $got, not $status: $(cat "$scratch/err")"
	elif [ "$(wc -l <"$scratch/err")" != 1 ] || [ -s "$scratch/out" ]; then
		fail "subring $words" "not one line: $(cat "$scratch/out" "$scratch/err")"
	elif ! grep -qE -e "^subring: error: .*($regex)" "$scratch/err"; then
		fail "subring $words" "no '$regex' in: $(cat "$scratch/err")"
	else
		ok "subring $words"
	fi
}

# ---- files ----

cd "$scratch" || exit 1
printf '' >empty
printf 'just some text\n' >text
head -c 1048576 /dev/urandom >random
head -c 100000 "$KERNEL" >short-kernel
head -c 300 "$KERNEL" >shorter-kernel
head -c 6000000 "$KERNEL" >half-kernel
head -c 500000 "$INITRD" >short-initrd
gzip -c "$INITRD" | head -c 500000 >short-initrd.gz
printf 'QFI\373' >image.qcow2
truncate -s 1M image.qcow2
printf 'KDMV' >image.vmdk
truncate -s 1M image.vmdk
truncate -s 1000 odd.img
truncate -s 1M good.img
mkdir folder
mkfifo fifo
head -c 4096 /bin/ls >short-program

bad 3 "kernel 'missing': No such file"                  run missing
bad 3 "kernel 'missing': No such file"                  run --kernel missing
bad 3 "kernel 'empty' is empty"                         run empty
bad 3 "kernel 'folder' is not a regular file"           run folder
bad 3 "kernel 'fifo' is not a regular file"             run fifo
bad 3 "kernel '/dev/null' is not a regular file"        run /dev/null
bad 3 "text: not a kernel image"                        run text
bad 3 "random: not a kernel image"                      run random
bad 3 "/bin/ls: not a kernel but a program"             run /bin/ls
bad 3 "not a kernel but a program"                      run short-program
bad 3 "kernel: .*(truncated|damaged|cut off|all there)" run short-kernel
bad 3 "kernel: .*(truncated|damaged|cut off|all there)" run half-kernel
bad 3 "not a kernel image|kernel: .*(truncated|damaged)" run shorter-kernel
bad 3 "initrd 'missing': No such file"                  run --initrd missing "$KERNEL"
bad 3 "initrd 'empty' is empty"                         run --initrd empty "$KERNEL"
bad 3 "initrd 'folder' is not a regular file"           run --initrd folder "$KERNEL"
bad 3 "initrd 'text': no initial RAM disk"              run --initrd text "$KERNEL"
bad 3 "initrd 'random': no initial RAM disk"            run --initrd random "$KERNEL"
bad 3 "initrd 'short-initrd': .*cut off.*make it again" run --initrd short-initrd "$KERNEL"
bad 3 "initrd 'short-initrd.gz': .*cut off.*get it again" run --initrd short-initrd.gz "$KERNEL"
bad 3 "module 'missing': No such file"                  run --module missing "$KERNEL"
bad 3 "disk 'missing': No such file"                    run --disk path=missing "$KERNEL"
bad 3 "disk 'empty' is empty: make it with"             run --disk path=empty "$KERNEL"
bad 3 "disk 'folder': Is a directory"                   run --disk path=folder "$KERNEL"
bad 3 "disk 'folder' is neither a file nor"             run --disk path=folder,ro=on "$KERNEL"
bad 3 "disk '/dev/null' is neither a file nor"          run --disk path=/dev/null "$KERNEL"
bad 3 "disk 'odd.img': .*cut off"                       run --disk path=odd.img "$KERNEL"
bad 3 "disk 'image.qcow2' is a qcow2 image.*qemu-img"   run --disk path=image.qcow2 "$KERNEL"
bad 3 "disk 'image.vmdk' is a vmdk image.*qemu-img"     run --disk path=image.vmdk "$KERNEL"
bad 3 "disk 'good.img' is in use.*named twice"          run --disk path=good.img --disk path=good.img "$KERNEL"
bad 3 "cannot write 'no/such/folder'"                   run --serial file=no/such/folder "$KERNEL"
bad 3 "cannot write 'folder': Is a directory"           run --serial file=folder "$KERNEL"
bad 3 "cannot listen on 'no/such/socket'"               run --serial unix=no/such/socket "$KERNEL"
bad 3 "cannot listen on 'text': .*use another path"     run --serial unix=text "$KERNEL"
bad 3 "--trace file=no/such/file"                       run --trace io,file=no/such/file "$KERNEL"
equal "a file that is no socket is not replaced by one" "$(cat text)" "just some text"
equal "--serial file= keeps what was there when the run cannot begin" \
	"$(cp text kept; "$SUBRING" run --serial file=kept --initrd missing "$KERNEL" 2>/dev/null; cat kept)" "just some text"
if [ "$(id -u)" != 0 ]; then
	cp good.img closed.img
	chmod a-w closed.img
	bad 3 "disk 'closed.img': Permission denied; add ro=on" run --disk path=closed.img "$KERNEL"
else
	skip "a disk that may not be written" "root may write everything"
fi

# ---- sizes and numbers ----

bad 2 "--memory 0: at least"                            run --memory 0 "$KERNEL"
bad 2 "--memory 1: at least"                            run --memory 1 "$KERNEL"
bad 2 "--memory -5M: expected a size"                   run --memory -5M "$KERNEL"
bad 2 "--memory much: expected a size such as 512M"     run --memory much "$KERNEL"
bad 2 "--memory 512X: expected a size"                  run --memory 512X "$KERNEL"
bad 2 "--memory 99999999999999999999: expected a size"  run --memory 99999999999999999999 "$KERNEL"
bad 2 "--memory 18446744073709551615T: expected a size" run --memory 18446744073709551615T "$KERNEL"
bad 2 "--memory 900T: this host has only [0-9]+M"       run --memory 900T "$KERNEL"
bad 2 "--memory : expected a size"                      run --memory= "$KERNEL"
bad 2 "--cpus 0: expected a number from 1 to"           run --cpus 0 "$KERNEL"
bad 2 "--cpus -1: expected a number from 1 to"          run --cpus -1 "$KERNEL"
bad 2 "--cpus 100000: expected a number from 1 to"      run --cpus 100000 "$KERNEL"
bad 2 "--cpus two: expected a number"                   run --cpus two "$KERNEL"
bad 2 "--timeout 0: expected a time"                    run --timeout 0 "$KERNEL"
bad 2 "--timeout soon: expected a time"                 run --timeout soon "$KERNEL"
bad 2 "--timeout -1: expected a time"                   run --timeout -1 "$KERNEL"
bad 2 "--timeout nan: expected a time"                  run --timeout nan "$KERNEL"
bad 2 "--timeout 1e300: expected a time"                run --timeout 1e300 "$KERNEL"
bad 2 "--debug-exit 65536: expected a number from 0"    run --debug-exit 65536 "$KERNEL"
bad 3 "debug.exit.*at 0x3f8: something else is there; choose another" run --debug-exit 0x3f8 "$KERNEL"
bad 3 "kernel: .*memory|find no room|does not fit|needs more memory|use more memory" run --memory 8M "$KERNEL"

# ---- words ----

bad 2 "unknown option '--memry'; the nearest is '--memory'" run --memry 512M "$KERNEL"
bad 2 "unknown option '-m'; the nearest is"             run -m 512M "$KERNEL"
bad 2 "unknown option '--no-rebot'; the nearest is '--no-reboot'" run --no-rebot "$KERNEL"
bad 2 "--memory needs a value: SIZE"                    run "$KERNEL" --memory
bad 2 "--memory was given twice"                        run --memory 512M --memory 512M "$KERNEL"
bad 2 "--stats takes no value"                          run --stats=yes "$KERNEL"
bad 2 "no kernel; try"                                  run
bad 2 "two kernels: 'a' and 'b'"                        run a b
bad 2 "no CPU model is called 'haswel'; the nearest is 'haswell'" run --cpu haswel "$KERNEL"
bad 2 "no CPU feature is called 'avx3'; the nearest is 'avx" run --cpu haswell,+avx3 "$KERNEL"
bad 2 "'avx2' in the CPU model: write \+feature"        run --cpu haswell,avx2 "$KERNEL"
bad 2 "--engine: 'hard' is not known"                   run --engine hard "$KERNEL"
bad 2 "--clock fast: expected host or instructions"     run --clock fast "$KERNEL"
bad 2 "--serial 'com1': expected tty, file=FILE"        run --serial com1 "$KERNEL"
bad 2 "--serial 'file': expected"                       run --serial file= "$KERNEL"
bad 2 "--console 'tty': expected file=FILE"             run --console tty "$KERNEL"
bad 2 "--disk: path=FILE is missing"                    run --disk ro=on "$KERNEL"
bad 2 "--disk: 'pth' is not known, the nearest is 'path'" run --disk pth=good.img "$KERNEL"
bad 2 "--disk ro=maybe: expected on or off"             run --disk path=good.img,ro=maybe "$KERNEL"
bad 2 "--disk id=.*: expected 1 to 20 characters"       run --disk path=good.img,id=a-name-that-is-too-long "$KERNEL"
bad 2 "--net mode=wifi: expected user, tap or none"     run --net mode=wifi "$KERNEL"
bad 2 "--net: 'mod' is not known, the nearest is 'mode'" run --net mod=user "$KERNEL"
bad 2 "--net mode=tap: ifname=TAP is missing"           run --net mode=tap "$KERNEL"
bad 2 "--net mac=1:2: expected six bytes"               run --net mode=user,mac=1:2 "$KERNEL"
bad 2 "--net forward=99999:1: expected HOST:GUEST"      run --net mode=user,forward=99999:1 "$KERNEL"
bad 2 "--net forward=80:http: expected HOST:GUEST"      run --net mode=user,forward=80:http "$KERNEL"
bad 2 "--net forward=: only with mode=user"             run --net mode=none,forward=1:1 "$KERNEL"
bad 3 "tap device 'nosuchtap' does not exist"           run --net mode=tap,ifname=nosuchtap "$KERNEL"
bad 2 "--trace: 'interrupts' is no event"               run --trace interrupts "$KERNEL"
bad 2 "--trace format=xml: expected text, json or"      run --trace io,format=xml "$KERNEL"
bad 2 "--trace: name at least one event"                run --trace format=json "$KERNEL"
bad 3 "--expect '\(': "                                 run --expect '(' "$KERNEL"
bad 3 "--fail-on '\[': "                                run --fail-on '[' "$KERNEL"
bad 3 "--append: the command line is too long"          run --append "$(head -c 5000 /dev/zero | tr '\0' x)" "$KERNEL"
bad 2 "'rnu' is not a command; the nearest is 'run'"    rnu
bad 2 "'text' is not a command; to run it as a kernel"  text
bad 2 "no help on 'rum'; the nearest is 'run'"          help rum
bad 2 "models: unknown word '--all'"                    models --all
bad 2 "doctor: nothing is called 'kmv'; the nearest is 'kvm'" doctor kmv

# ---- what this host cannot give ----

(
	ulimit -v 400000
	bad 2 "--memory 2G: this host has only" run --memory 2G "$KERNEL"
	bad 3 "cannot map|out of memory|has only" run --memory 380M "$KERNEL"
	echo "$passed $failed" >"$scratch/counts"
)
read -r p f <"$scratch/counts"
passed=$p failed=$f
(
	ulimit -f 100
	bad 3 "cannot size shared memory" run --memory 256M "$KERNEL"
	echo "$passed $failed" >"$scratch/counts"
)
read -r p f <"$scratch/counts"
passed=$p failed=$f

# ---- what somebody else has ----

"$SUBRING" run "$KERNEL" --serial unix=socket --timeout 600 </dev/null 2>first &
started=$!
until [ -S socket ] || ! kill -0 $started; do sleep 0.1; done
bad 3 "cannot listen on 'socket': Address already in use; use another path" run --serial unix=socket "$KERNEL"
kill -KILL $started
wait $started 2>/dev/null
started=
timeout 60 "$SUBRING" run --serial unix=socket --timeout 0.5 "$KERNEL" </dev/null 2>err
equal "a socket left over by a Subring that was killed is taken over" $? 124
check "a socket is gone after the run" test ! -e socket

# ---- output that goes nowhere ----

"$SUBRING" models >/dev/full 2>err
equal "models: an output that cannot be written is status 3" $? 3
matches "... and is said" err 'cannot write to stdout: No space left'
"$SUBRING" run --timeout 20 "$KERNEL" </dev/null 2>err >/dev/full
matches "a full disk behind stdout is said once, and the run goes on" err "warning: output to 'stdout' gets lost: No space left"
finish
