/*
 * Whether /dev/kvm can run an ordinary guest on this host: found out by running one.
 *
 * A file that opens proves nothing: it may belong to a KVM made for paravirtual guests, or to a nested one that
 * breaks at the first entry.
 */
#ifndef HOST_LINUX_KVM_PROBE_H
#define HOST_LINUX_KVM_PROBE_H

#include "host/host.h"

enum kvm_state {
	KVM_USABLE,
	KVM_ABSENT,       /* no /dev/kvm */
	KVM_NOT_PERMITTED, /* it is there, this user may not open it */
	KVM_BROKEN,       /* it opens and cannot run a guest */
};

struct kvm_report {
	enum kvm_state state;
	int api_version;  /* 0: unknown */
	char text[HOST_ERROR_BYTES]; /* what was found, one line */
	char advice[HOST_ERROR_BYTES]; /* what to do; empty if nothing */
};

/*
 * Opens KVM and runs two guests of a few instructions in it, one in real mode and one in long mode, in a child process that gets
 * some seconds: so neither a guest that never ends nor a KVM that crashes its user does any harm here.
 */
void kvm_probe(struct kvm_report *report);

#endif
