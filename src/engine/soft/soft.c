/*
 * The soft engine: the software processor of src/cpu behind the engine interface.
 *
 * It runs anywhere and needs nothing of the host's CPU but the instructions that every x86-64 program may use.
 */
#include "base/assert.h"
#include "base/string.h"
#include "cpu/block.h"
#include "cpu/tlb.h"
#include "engine/engine.h"

struct engine_vcpu {
	struct core *core;
	void *memory;
};

struct engine_vm {
	unsigned processors;
	struct engine_vcpu vcpu[];
};

static bool soft_probe(struct host_error *why)
{
	host_error_set(why, "always available");
	return true;
}

static void soft_vm_destroy(struct engine_vm *vm)
{
	for (unsigned i = 0; i < vm->processors; i++) {
		if (vm->vcpu[i].core)
			core_finish(vm->vcpu[i].core);
		if (vm->vcpu[i].memory)
			host_memory_unmap(vm->vcpu[i].memory, core_memory_bytes());
	}
	host_free(vm);
}

static bool soft_vcpu_create(struct engine_vcpu *vcpu, unsigned processor, const struct engine_config *config,
			     struct host_error *error)
{
	vcpu->memory = host_memory_map(core_memory_bytes(), false, error);
	if (!vcpu->memory)
		return false;
	vcpu->core = core_init(vcpu->memory, processor, config->environment, config->machine, config->model,
			       &config->features);
	if (!vcpu->core) {
		host_error_set(error, "no executable memory for the software processor; "
			       "check the limits on this process's mappings");
		return false;
	}
	vcpu->core->processors = (u16)config->processors;
	vcpu->core->trace = config->trace;
	return true;
}

static struct engine_vm *soft_vm_create(const struct engine_config *config, struct host_error *error)
{
	struct engine_vm *vm = host_allocate(sizeof(*vm) + config->processors * sizeof(vm->vcpu[0]));

	if (!vm) {
		host_error_set(error, "out of memory for %u processors", config->processors);
		return NULL;
	}
	vm->processors = config->processors;
	for (unsigned i = 0; i < config->processors; i++) {
		if (!soft_vcpu_create(&vm->vcpu[i], i, config, error)) {
			soft_vm_destroy(vm);
			return NULL;
		}
	}
	return vm;
}

static struct engine_vcpu *soft_vcpu(struct engine_vm *vm, unsigned processor)
{
	ASSERT(processor < vm->processors);
	return &vm->vcpu[processor];
}

/* Asleep: in HLT, in MWAIT, or before the start-up IPI. */
static enum engine_exit_kind sleep_kind(struct cpu *cpu)
{
	if (cpu->activity == CPU_WAIT_FOR_SIPI)
		return ENGINE_EXIT_WAIT;
	if (!cpu->monitor_armed)
		return ENGINE_EXIT_HALTED;
	cpu->monitor_armed = false;
	cpu->activity = CPU_ACTIVE;
	return ENGINE_EXIT_NAP;
}

static enum engine_exit_kind soft_run(struct engine_vcpu *vcpu, u64 instructions, struct host_error *error)
{
	(void)error;
	switch (core_run(vcpu->core, instructions)) {
	case CORE_EXIT_HALTED:
		return sleep_kind(&vcpu->core->cpu);
	case CORE_EXIT_SHUTDOWN:
		return ENGINE_EXIT_SHUTDOWN;
	case CORE_EXIT_DEBUG:
		return ENGINE_EXIT_DEBUG;
	case CORE_EXIT_NONE:
	case CORE_EXIT_BUDGET:
	case CORE_EXIT_ATTENTION:
		return ENGINE_EXIT_KICKED;
	}
	UNREACHABLE();
}

static void soft_kick(struct engine_vcpu *vcpu)
{
	core_attention(vcpu->core);
}

static void soft_get_state(struct engine_vcpu *vcpu, struct cpu *out)
{
	*out = vcpu->core->cpu;
}

static void soft_set_state(struct engine_vcpu *vcpu, const struct cpu *in)
{
	vcpu->core->cpu = *in;
	core_mode_changed(vcpu->core);
	tlb_flush_all(vcpu->core);
}

static void soft_reset(struct engine_vcpu *vcpu, bool init)
{
	core_reset(vcpu->core, init);
}

static void soft_startup(struct engine_vcpu *vcpu, u8 vector)
{
	core_startup(vcpu->core, vector);
}

static void soft_nmi(struct engine_vcpu *vcpu)
{
	core_nmi(vcpu->core);
}

static u64 soft_retired(const struct engine_vcpu *vcpu)
{
	return core_retired(vcpu->core);
}

static u64 soft_tsc_offset(const struct engine_vcpu *vcpu)
{
	return vcpu->core->cpu.tsc_offset;
}

static void soft_protect_code(struct engine_vm *vm, gpa_t page)
{
	for (unsigned i = 0; i < vm->processors; i++) {
		struct core *c = vm->vcpu[i].core;
		struct core_page ram;

		/* Cores are created one after another; the first may already be asked while later ones do not exist. */
		if (!c)
			continue;
		c->environment->page(c->machine, page, &ram);
		tlb_protect(c, ram.host);
	}
}

const struct engine_ops engine_soft = {
	.name = "soft",
	.probe = soft_probe,
	.vm_create = soft_vm_create,
	.vm_destroy = soft_vm_destroy,
	.vcpu = soft_vcpu,
	.run = soft_run,
	.kick = soft_kick,
	.get_state = soft_get_state,
	.set_state = soft_set_state,
	.reset = soft_reset,
	.startup = soft_startup,
	.nmi = soft_nmi,
	.retired = soft_retired,
	.tsc_offset = soft_tsc_offset,
	.protect_code = soft_protect_code,
};
