/* Tries KVM. See kvm_probe.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bits.h"
#include "host/linux/kvm_probe.h"
#include "x86/regs.h"

#define KVM_PATH "/dev/kvm"
#define TIME_LIMIT_MS 2000

/* The guests' world: one slot of RAM from 0, with code and, for long mode, page tables that map 2 MiB by one page. */
#define GUEST_BYTES 0x8000u
#define GUEST_CODE 0x1000u
#define GUEST_PML4 0x2000u
#define GUEST_PDPT 0x3000u
#define GUEST_PD 0x4000u
#define GUEST_STACK 0x8000u
#define PAGE_FLAGS 0x3u /* present, writable */
#define PAGE_LARGE 0x80u
#define GUEST_PORT 0xe9u
#define GUEST_BYTE 0x5au

#define SAY_AND_HALT 0xb0, GUEST_BYTE, 0xe6, GUEST_PORT, 0xf4 /* mov $GUEST_BYTE, %al; out %al, $GUEST_PORT; hlt */

static const u8 real_code[] = { SAY_AND_HALT };

/*
 * A KVM without hardware behind it may emulate the kernel's mode instruction by instruction. So the guest counts to 2^26,
 * which takes a processor well under a second and an emulator minutes, and it uses a vector register, which emulators
 * know little of.
 */
static const u8 long_code[] = {
	0xb9, 0x00, 0x00, 0x00, 0x04, /* mov $0x4000000, %ecx */
	0xff, 0xc9,                   /* dec %ecx */
	0x75, 0xfc,                   /* jnz to the dec */
	0x66, 0x0f, 0xef, 0xc0,       /* pxor %xmm0, %xmm0 */
	SAY_AND_HALT,
};

/* What the child tells: empty if all is well. */
struct verdict {
	int api_version;
	char problem[HOST_ERROR_BYTES];
};

struct guest {
	const char *mode;
	int vm, vcpu;
	u8 *ram;
	struct kvm_run *run;
	size_t run_bytes;
};

PRINTF_LIKE(2, 3) static void note(struct verdict *verdict, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(verdict->problem, sizeof(verdict->problem), format, arguments);
	va_end(arguments);
}

static bool fail(struct verdict *verdict, const char *what)
{
	note(verdict, "%s: %s", what, strerror(errno));
	return false;
}

/* ---- one guest ---- */

static bool guest_create(struct guest *g, int kvm, struct verdict *verdict)
{
	struct kvm_userspace_memory_region region = { .memory_size = GUEST_BYTES };
	int run_bytes;

	g->vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (g->vm < 0)
		return fail(verdict, "cannot create a virtual machine");
	g->ram = mmap(NULL, GUEST_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (g->ram == MAP_FAILED)
		return fail(verdict, "cannot map its memory");
	region.userspace_addr = (u64)(uintptr_t)g->ram;
	if (ioctl(g->vm, KVM_SET_USER_MEMORY_REGION, &region))
		return fail(verdict, "cannot give it memory");
	g->vcpu = ioctl(g->vm, KVM_CREATE_VCPU, 0);
	if (g->vcpu < 0)
		return fail(verdict, "cannot create a virtual processor");
	run_bytes = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	g->run_bytes = (size_t)run_bytes;
	g->run = mmap(NULL, g->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, g->vcpu, 0);
	return g->run == MAP_FAILED ? fail(verdict, "cannot map its state") : true;
}

static void enter_long_mode(struct guest *g, struct kvm_sregs *s)
{
	struct kvm_segment code = { .limit = ~0u, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1 };
	struct kvm_segment data = { .limit = ~0u, .selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1 };
	const struct { u32 at; u64 entry; } tables[] = {
		{ GUEST_PML4, GUEST_PDPT | PAGE_FLAGS },
		{ GUEST_PDPT, GUEST_PD | PAGE_FLAGS },
		{ GUEST_PD, PAGE_FLAGS | PAGE_LARGE },
	};

	for (size_t i = 0; i < ARRAY_LENGTH(tables); i++)
		memcpy(g->ram + tables[i].at, &tables[i].entry, sizeof(tables[i].entry));
	s->cr3 = GUEST_PML4;
	s->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	s->cr0 = CR0_PE | CR0_PG | CR0_ET | CR0_NE | CR0_WP;
	s->efer = EFER_LME | EFER_LMA;
	s->cs = code;
	s->ds = s->es = s->fs = s->gs = s->ss = data;
}

static bool guest_start(struct guest *g, bool long_mode, struct verdict *verdict)
{
	struct kvm_regs regs = { .rip = GUEST_CODE, .rsp = GUEST_STACK, .rflags = RFLAGS_FIXED };
	struct kvm_sregs sregs;

	if (long_mode)
		memcpy(g->ram + GUEST_CODE, long_code, sizeof(long_code));
	else
		memcpy(g->ram + GUEST_CODE, real_code, sizeof(real_code));
	if (ioctl(g->vcpu, KVM_GET_SREGS, &sregs))
		return fail(verdict, "cannot read registers");
	if (long_mode) {
		enter_long_mode(g, &sregs);
	} else {
		sregs.cs.base = 0;
		sregs.cs.selector = 0;
	}
	if (ioctl(g->vcpu, KVM_SET_SREGS, &sregs) || ioctl(g->vcpu, KVM_SET_REGS, &regs))
		return fail(verdict, "cannot set registers");
	return true;
}

static bool guest_step(struct guest *g, u32 expected, struct verdict *verdict)
{
	struct kvm_run *run = g->run;
	int status;

	do {
		status = ioctl(g->vcpu, KVM_RUN, 0);
	} while (status && errno == EINTR);
	if (status) {
		note(verdict, "a guest in %s mode cannot run: %s", g->mode, strerror(errno));
		return false;
	}
	if (run->exit_reason == expected)
		return true;
	if (run->exit_reason == KVM_EXIT_FAIL_ENTRY)
		note(verdict, "a guest in %s mode cannot be entered (hardware reason %#llx)",
			 g->mode, (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
	else if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR)
		note(verdict, "a guest in %s mode fails inside KVM (internal error %u)", g->mode,
			 run->internal.suberror);
	else
		note(verdict, "a guest in %s mode ends with exit reason %u, expected %u", g->mode,
			 run->exit_reason, expected);
	return false;
}

static bool guest_try(int kvm, bool long_mode, struct verdict *verdict)
{
	struct guest g = { .mode = long_mode ? "long" : "real" };
	const u8 *data;

	if (!guest_create(&g, kvm, verdict) || !guest_start(&g, long_mode, verdict) ||
	    !guest_step(&g, KVM_EXIT_IO, verdict))
		return false;
	data = (const u8 *)g.run + g.run->io.data_offset;
	if (g.run->io.port != GUEST_PORT || g.run->io.direction != KVM_EXIT_IO_OUT || *data != GUEST_BYTE) {
		note(verdict, "a guest in %s mode runs wrongly: byte %#x at port %#x", g.mode, *data, g.run->io.port);
		return false;
	}
	return guest_step(&g, KVM_EXIT_HLT, verdict);
	/* The process ends now: nothing to give back. */
}

/* ---- in a child, with a time limit ---- */

static void child_body(int kvm, int out)
{
	struct verdict verdict = { .api_version = ioctl(kvm, KVM_GET_API_VERSION, 0) };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (verdict.api_version != KVM_API_VERSION)
		note(&verdict, "its API version is %d, not %d", verdict.api_version, KVM_API_VERSION);
	else if (guest_try(kvm, false, &verdict))
		(void)guest_try(kvm, true, &verdict);
	_exit(write(out, &verdict, sizeof(verdict)) != sizeof(verdict));
}

static void child_judge(int in, struct verdict *verdict)
{
	struct pollfd readable = { .fd = in, .events = POLLIN };
	int ready;

	do {
		ready = poll(&readable, 1, TIME_LIMIT_MS);
	} while (ready < 0 && errno == EINTR);
	*verdict = (struct verdict){ 0 };
	if (!ready)
		note(verdict, "it runs guests far slower than the processor, or not at all: a loop took over %d seconds",
		     TIME_LIMIT_MS / 1000);
	else if (read(in, verdict, sizeof(*verdict)) != sizeof(*verdict))
		note(verdict, "the process that tried a guest crashed");
}

static void run_guests(int kvm, struct verdict *verdict)
{
	int ends[2];
	pid_t child;

	if (pipe(ends)) {
		(void)fail(verdict, "cannot make a pipe");
		return;
	}
	child = fork();
	if (!child) {
		close(ends[0]);
		child_body(kvm, ends[1]);
	}
	close(ends[1]);
	if (child < 0) {
		(void)fail(verdict, "cannot start a process");
	} else {
		child_judge(ends[0], verdict);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	close(ends[0]);
}

static void set_state(struct kvm_report *report, enum kvm_state state, const char *text, const char *advice)
{
	report->state = state;
	snprintf(report->text, sizeof(report->text), "%s", text);
	snprintf(report->advice, sizeof(report->advice), "%s", advice);
}

void kvm_probe(struct kvm_report *report)
{
	struct verdict verdict = { 0 };
	int kvm = open(KVM_PATH, O_RDWR | O_CLOEXEC);

	*report = (struct kvm_report){ 0 };
	if (kvm < 0) {
		if (errno == EACCES || errno == EPERM)
			set_state(report, KVM_NOT_PERMITTED, KVM_PATH " may not be opened by this user",
				  "join its group (`sudo usermod -aG kvm $USER`), then log in again");
		else
			set_state(report, KVM_ABSENT, errno == ENOENT ? "no " KVM_PATH : strerror(errno),
				  "load the module kvm_intel or kvm_amd, or turn virtualization on in the firmware");
		return;
	}
	run_guests(kvm, &verdict);
	close(kvm);
	report->api_version = verdict.api_version;
	if (*verdict.problem)
		set_state(report, KVM_BROKEN, verdict.problem,
			  "nothing to do in Subring: this host's KVM cannot run ordinary guests");
	else
		set_state(report, KVM_USABLE, "a real-mode and a long-mode guest ran", "");
}
