/*
 * An engine advances processors: the one interface behind which soft, kvm, vmx and svm stand.
 *
 * The machine owns one engine VM and one engine vCPU per processor. Everything an engine cannot finish alone comes back as a
 * neutral exit; port and MMIO accesses go to the machine through struct core_environment, the same for all engines.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "cpu/core.h"
#include "host/host.h"

struct engine_vm;
struct engine_vcpu;

enum engine_exit_kind {
	ENGINE_EXIT_NONE,   /* handled: a run loop that sees another value after handling it has a bug */
	ENGINE_EXIT_HALTED, /* nothing to do until an interrupt */
	ENGINE_EXIT_SHUTDOWN, /* triple fault */
	ENGINE_EXIT_KICKED, /* engine_ops.kick, or the budget is used up */
	ENGINE_EXIT_WAIT,   /* waits for INIT or a start-up IPI */
	ENGINE_EXIT_NAP,    /* MWAIT: until an interrupt, or a store that nobody watches for: go on soon, it is active */
	ENGINE_EXIT_DEBUG,
	ENGINE_EXIT_FAILED, /* the host's engine broke; the message is in error */
};

struct engine_config {
	unsigned processors;
	const struct cpu_model *model;
	struct feature_set features;
	const struct core_environment *environment;
	void *machine;
	struct trace *trace; /* may be NULL */
};

struct engine_ops {
	const char *name;
	/* Can it run here? If not, why: one line. */
	bool (*probe)(struct host_error *why);
	struct engine_vm *(*vm_create)(const struct engine_config *config, struct host_error *error);
	void (*vm_destroy)(struct engine_vm *vm);
	struct engine_vcpu *(*vcpu)(struct engine_vm *vm, unsigned processor);
	/* Runs until a neutral exit. instructions: a budget, ~0 for none. */
	enum engine_exit_kind (*run)(struct engine_vcpu *vcpu, u64 instructions, struct host_error *error);
	/* Makes run() return, or take a new interrupt, soon. Any thread. */
	void (*kick)(struct engine_vcpu *vcpu);
	/* The complete state; only while the vCPU is not running. */
	void (*get_state)(struct engine_vcpu *vcpu, struct cpu *out);
	void (*set_state)(struct engine_vcpu *vcpu, const struct cpu *in);
	void (*reset)(struct engine_vcpu *vcpu, bool init);
	void (*startup)(struct engine_vcpu *vcpu, u8 vector);
	void (*nmi)(struct engine_vcpu *vcpu);
	u64 (*retired)(const struct engine_vcpu *vcpu);
	/* What the guest's TSC is ahead of the machine's clock (modulo 2^64). Any thread. */
	u64 (*tsc_offset)(const struct engine_vcpu *vcpu);
	/* A page got its first decoded code: no processor may write there unseen from now on. Any thread. */
	void (*protect_code)(struct engine_vm *vm, gpa_t page);
};

extern const struct engine_ops engine_soft;

#endif
