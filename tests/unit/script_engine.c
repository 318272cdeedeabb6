/* An engine driven by test functions: see script_engine.h. */
#include "script_engine.h"

#include <string.h>

#define APIC_BASE 0xfee00000u

script *script_run;
struct script_processor script_processors[SCRIPT_MAX_PROCESSORS];

/* The interface's opaque types are the scripts' processors. */
static struct script_processor *processor_of(const struct engine_vcpu *vcpu)
{
	return (struct script_processor *)(uintptr_t)vcpu;
}

static bool probe(struct host_error *why)
{
	host_error_set(why, "always");
	return true;
}

static struct engine_vm *vm_create(const struct engine_config *config, struct host_error *error)
{
	(void)error;
	memset(script_processors, 0, sizeof(script_processors));
	for (unsigned i = 0; i < config->processors; i++) {
		script_processors[i].index = i;
		script_processors[i].environment = config->environment;
		script_processors[i].machine = config->machine;
		script_processors[i].cpu.activity = i ? CPU_WAIT_FOR_SIPI : CPU_ACTIVE;
	}
	return (struct engine_vm *)script_processors;
}

static void vm_destroy(struct engine_vm *vm)
{
	(void)vm;
}

static struct engine_vcpu *vcpu(struct engine_vm *vm, unsigned processor)
{
	(void)vm;
	return (struct engine_vcpu *)&script_processors[processor];
}

static enum engine_exit_kind run(struct engine_vcpu *v, u64 instructions, struct host_error *error)
{
	struct script_processor *p = processor_of(v);

	host_error_set(error, "the script failed");
	atomic_store(&p->kicked, false);
	if (p->cpu.activity == CPU_WAIT_FOR_SIPI)
		return ENGINE_EXIT_WAIT;
	p->runs++;
	return script_run(p, instructions);
}

static void kick(struct engine_vcpu *v)
{
	atomic_store(&processor_of(v)->kicked, true);
}

static void get_state(struct engine_vcpu *v, struct cpu *out)
{
	*out = processor_of(v)->cpu;
}

static void set_state(struct engine_vcpu *v, const struct cpu *in)
{
	processor_of(v)->cpu = *in;
}

static void reset(struct engine_vcpu *v, bool init)
{
	struct script_processor *p = processor_of(v);

	*(init ? &p->inits : &p->resets) += 1;
	p->runs = 0;
	memset(&p->cpu, 0, sizeof(p->cpu));
	p->cpu.activity = p->index ? CPU_WAIT_FOR_SIPI : CPU_ACTIVE;
}

static void startup(struct engine_vcpu *v, u8 vector)
{
	struct script_processor *p = processor_of(v);

	p->startups++;
	p->startup_vector = vector;
	p->cpu.activity = CPU_ACTIVE;
}

static void nmi(struct engine_vcpu *v)
{
	processor_of(v)->nmis++;
}

static u64 retired(const struct engine_vcpu *v)
{
	return processor_of(v)->retired;
}

static u64 tsc_offset(const struct engine_vcpu *v)
{
	(void)v;
	return 0;
}

static void protect_code(struct engine_vm *vm, gpa_t page)
{
	(void)vm;
	(void)page;
}

const struct engine_ops engine_script = {
	.name = "script", .probe = probe, .vm_create = vm_create, .vm_destroy = vm_destroy, .vcpu = vcpu, .run = run,
	.kick = kick, .get_state = get_state, .set_state = set_state, .reset = reset, .startup = startup, .nmi = nmi,
	.retired = retired, .tsc_offset = tsc_offset, .protect_code = protect_code,
};

void script_out(struct script_processor *p, u16 port, unsigned size, u32 value)
{
	p->environment->port_write(p->machine, p->index, port, size, value);
}

u32 script_in(struct script_processor *p, u16 port, unsigned size)
{
	return p->environment->port_read(p->machine, p->index, port, size);
}

void script_apic_write(struct script_processor *p, u32 offset, u32 value)
{
	p->environment->mmio_write(p->machine, p->index, APIC_BASE + offset, 4, value);
}

u32 script_apic_read(struct script_processor *p, u32 offset)
{
	return (u32)p->environment->mmio_read(p->machine, p->index, APIC_BASE + offset, 4);
}

int script_take_interrupt(struct script_processor *p)
{
	if (p->environment->interrupt_pending(p->machine, p->index) < 0)
		return -1;
	return p->environment->interrupt_acknowledge(p->machine, p->index);
}

u64 script_now(struct script_processor *p)
{
	return p->environment->tsc(p->machine, p->index);
}
