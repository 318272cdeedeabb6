/*
 * A processor being executed in software: its state, and what makes that fast.
 *
 * struct core wraps struct cpu with a TLB, the cache of decoded blocks and the way out to memory and devices.
 * All of it but `cpu` can be thrown away at any instruction boundary. A block is a straight run of decoded
 * instructions in one page; each op holds its handler, and handlers call the next one as their last act (a tail
 * call), so that control returns to the run loop (run.c) only at the end of a block, or when something happens.
 */
#ifndef CPU_CORE_H
#define CPU_CORE_H

#include <stdatomic.h>

#include "cpu/cpu.h"
#include "insn/insn.h"

struct core;
struct op;
struct trace;

/* What a handler tells the run loop. */
enum step {
	STEP_NEXT,  /* the block is done; cpu.rip is the next instruction */
	STEP_FAULT, /* cpu.event is to be delivered; the instruction did not retire; set by core_raise*() */
	STEP_TRAP,  /* the instruction retired, cpu.rip is advanced, and cpu.event (INT n, INT3...) is to be delivered */
	STEP_BREAK, /* the instruction retired and cpu.rip is advanced; look at the world before going on */
	STEP_RETRY, /* the instruction did not retire; cpu.rip still points to it (an interrupted REP, a stale block) */
};

typedef enum step exec_fn(struct core *c, const struct op *op) MUST_USE;

/* How an op's memory operand is addressed, cheapest first. */
enum op_address {
	ADDRESS_FLAT,    /* 64-bit addresses, segment base zero, no index register */
	ADDRESS_INDEXED, /* the same with an index register */
	ADDRESS_BASE,    /* 64-bit addresses plus FS or GS base */
	ADDRESS_GENERAL, /* everything else: masks, segment base, limit and type checks */
};

/*
 * One instruction in a block. dst, src, third are byte offsets into cpu.gpr for the register operands 0, 1 and 2
 * (so AH is offset 1); they have no meaning for operands of other kinds.
 */
struct op {
	exec_fn *fn;
	struct insn insn;
	u16 offset; /* of the instruction's first byte from the block's first, bytes */
	u8 address; /* enum op_address */
	u8 dst, src, third;
	u8 index; /* position in the block */
	u8 spare;
};

_Static_assert(sizeof(struct op) == 64, "one op, one cache line");

#define BLOCK_MAX_OPS 32

/* What of the processor's mode a block's decoding depends on. */
#define BLOCK_CODE_SIZE BITS(1, 0) /* enum insn_mode */
#define BLOCK_STACK32 BIT(2)       /* SS.B */
#define BLOCK_FLAT_CODE BIT(4)     /* CS.limit is 4 GiB or does not count */
#define BLOCK_REAL BIT(3)          /* real or virtual-8086: VEX is #UD, protected-only instructions are #UD */

/* A block that ran after this one: valid while key is what the core's is. */
struct block_link {
	u64 linear, key;
	struct block *to;
};

#define BLOCK_LINKS 2

struct block {
	struct block_link link[BLOCK_LINKS]; /* latest first */
	gpa_t gpa;       /* of the first byte */
	gpa_t gpa_next;  /* of the second page's start if the only instruction crosses a page, else 0 */
	u32 mode;        /* BLOCK_* */
	u32 generation;  /* of the code page when decoded */
	_Atomic u32 *page_generation;
	u32 generation_next;
	_Atomic u32 *page_generation_next; /* NULL unless gpa_next */
	u16 bytes, ops;
	struct block *hash_next;
	struct op op[]; /* ops of them, then one that ends the block */
};

/*
 * TLB. A tag is the linear page address with the low 12 bits holding a context number, so that one comparison
 * checks page, access and address space; TLB_INVALID never matches. A context stands
 * for one address space (CR3 or PCID, VPID or ASID, EPT root); flushing one means taking a new number.
 */
#define TLB_BITS 10
#define TLB_ENTRIES (1u << TLB_BITS)
#define TLB_INVALID (~0ull)
#define TLB_CONTEXTS 4095u

struct tlb_entry {
	_Atomic u64 read, write;
	u64 execute;
	u64 addend; /* host address minus linear address */
};

/* Beside each entry, what the slow paths need. */
struct tlb_detail {
	gpa_t gpa; /* of the page */
	u64 tag;   /* page and context whatever the permission; TLB_INVALID if unused */
	u8 *host;  /* NULL: not RAM */
	u8 rights; /* RIGHT_*: walk.h */
	u8 page_shift;
	bool global;
	bool rom;  /* writes are dropped */
};

/* Accesses are checked in one of these ways; each has its own entries, so a switch costs nothing. */
enum tlb_mode {
	TLB_USER,            /* CPL 3 */
	TLB_SUPERVISOR,      /* CPL 0-2 with no SMAP enforcement (SMAP off, or AC set) */
	TLB_SUPERVISOR_SMAP, /* CPL 0-2 with SMAP enforced */
	TLB_CHECKED,         /* never hit: every access takes the slow path (alignment checks, watchpoints) */
	TLB_MODES
};

/* RAM behind a guest-physical page, as the machine tells it. */
struct core_page {
	u8 *host;                 /* the page's first byte; NULL: not RAM, use the mmio functions */
	bool writable;            /* false: ROM, writes are dropped */
	_Atomic u32 *generation;  /* counts writes to the page that found decoded code in it */
	_Atomic u8 *has_code;     /* nonzero: some processor has decoded code from the page */
	_Atomic u8 *dirty;        /* set to 1 on the first write after it was cleared; NULL: no dirty log */
};

/* The way out of a processor. All functions may be called with any argument that a guest can form. */
struct core_environment {
	void (*page)(void *machine, gpa_t page, struct core_page *out);
	/* size 1, 2, 4 or 8, not crossing a page; unclaimed addresses read as all ones */
	u64 (*mmio_read)(void *machine, unsigned processor, gpa_t address, unsigned size);
	void (*mmio_write)(void *machine, unsigned processor, gpa_t address, unsigned size, u64 value);
	/* size 1, 2 or 4 */
	u32 (*port_read)(void *machine, unsigned processor, u16 port, unsigned size);
	void (*port_write)(void *machine, unsigned processor, u16 port, unsigned size, u32 value);
	/* Highest-priority interrupt the local APIC (or the PIC through it) wants taken now: peek, and acknowledge; -1: none */
	int (*interrupt_pending)(void *machine, unsigned processor);
	int (*interrupt_acknowledge)(void *machine, unsigned processor);
	/* MSRs that live outside the processor (APIC base, x2APIC, TSC deadline). false: #GP(0) */
	bool (*apic_msr_read)(void *machine, unsigned processor, u32 msr, u64 *value);
	bool (*apic_msr_write)(void *machine, unsigned processor, u32 msr, u64 value);
	u64 (*task_priority)(void *machine, unsigned processor); /* CR8, 0-15 */
	void (*set_task_priority)(void *machine, unsigned processor, u64 cr8);
	u64 (*tsc)(void *machine, unsigned processor); /* ticks since power-on, before IA32_TSC offsets */
	u64 (*random)(void *machine);
	/* A page got its first decoded code: every processor's TLB must lose its right to write there unseen. */
	void (*protect_code)(void *machine, gpa_t page);
};

/* Why core_run() returned. */
enum core_exit {
	CORE_EXIT_NONE,
	CORE_EXIT_BUDGET,    /* the instruction budget is used up */
	CORE_EXIT_ATTENTION, /* core.attention was raised by another thread and is not an interrupt for us */
	CORE_EXIT_HALTED,    /* HLT or MWAIT: nothing to do until an event */
	CORE_EXIT_SHUTDOWN,  /* triple fault */
	CORE_EXIT_DEBUG,     /* a debugger's breakpoint or single step */
};

/* A memory operand being read, modified and written: see access.h. */
struct core_rmw {
	u8 buffer[16];
	gva_t address;
	unsigned size;
};

struct jump_entry { u64 rip, key; struct block *block; };
#define JUMP_BITS 14
#define BLOCK_HASH_BITS 14

struct core {
	struct cpu cpu;

	/* The fast path's own: kept together. */
	struct tlb_entry *tlb;  /* data accesses of the current mode */
	u64 tlb_context;        /* low 12 bits of tags */
	const struct op *op;    /* the last op that went to a slow path */
	struct block *block;    /* the running block */
	_Atomic u32 attention;  /* raised by anyone who wants this processor to look up */
	s64 budget;             /* instructions left before CORE_EXIT_BUDGET */
	u64 jump_key;           /* what of mode and address space a jump-cache entry must match... */
	u64 jump_key_global;    /* ...or this, for code in global pages */

	u32 block_mode;         /* BLOCK_* of the current state */
	enum tlb_mode data_mode, code_mode;
	bool slow;              /* single-step each instruction: TF, breakpoints, interrupt shadow */
	bool watch;             /* DR7 has data breakpoints enabled */
	u8 x87_blocked;         /* X87_*: why an x87 instruction may not simply run (x87.h) */
	bool x87_live;          /* the guest's x87 registers are in the host's */
	u8 simd_blocked;        /* SIMD_*: classes of vector instructions that may not run, or not simply (simd.h) */
	u64 debug_hits;         /* DR6 bits of data or I/O breakpoints hit by the current instruction */
	bool event_external;    /* exceptions met now are met while delivering an event from outside the program: EXT */
	enum core_exit exit;
	struct core_rmw rmw;
	u8 scratch[64] __attribute__((aligned(64))); /* memory operands of vector instructions */

	unsigned processor;     /* index, also the initial APIC id */
	u16 processors;         /* how many the machine has */
	const struct core_environment *environment;
	void *machine;
	struct trace *trace;    /* NULL: nobody wants to know */
	struct feature_set features; /* what this processor has */
	const struct cpu_model *model;
	bool amd;               /* AMD's behaviour where the vendors differ */
	u8 physical_bits, linear_bits;

	struct tlb *tlbs;       /* tlb.c */
	struct block_cache *blocks; /* block.c */
	struct simd_cache *simd;    /* simd.c */
};

/* ---- life (core.c) ---- */

/*
 * Sets a core up in the power-on state (see core_reset); NULL: the host gives no executable memory. memory:
 * core_memory_bytes() zeroed bytes, page-aligned, owned by the caller and given back after core_finish(). model: what
 * CPUID says, from x86/model.h; features is the effective set.
 */
size_t core_memory_bytes(void);
struct core *core_init(void *memory, unsigned processor, const struct core_environment *environment, void *machine,
		       const struct cpu_model *model, const struct feature_set *features);
void core_finish(struct core *c);

/* "Processor State After Reset": power-on or RESET; init keeps what INIT keeps. The bootstrap processor is 0. */
void core_reset(struct core *c, bool init);

/* A start-up IPI: real mode at vector << 12, active. Ignored unless waiting for one. */
void core_startup(struct core *c, u8 vector);

/* Call after changing c->cpu from outside (or CR0, CR3, CR4, EFER, CPL, SS, CS, RFLAGS.AC/TF, DR7 from inside). */
void core_mode_changed(struct core *c);
/* The same if nothing but RFLAGS.AC changed at CPL 0-2, which steers data accesses only. */
void core_data_mode_changed(struct core *c);

/*
 * Runs until something needs the engine; `instructions` > 0 is the budget, which may be exceeded by less than one block. On
 * return c->cpu is complete and consistent.
 */
enum core_exit core_run(struct core *c, u64 instructions);

/* Makes another thread's core_run return (or take an interrupt) soon. Any thread. */
void core_attention(struct core *c);

/*
 * An NMI arrives. One can be pending behind the one that is being handled, or on its way to be; more are lost ("Handling
 * Multiple NMIs"). The thread that runs the core, or none at that moment.
 */
void core_nmi(struct core *c);

/* Instructions retired so far, exact also inside an instruction that is being executed. */
u64 core_retired(const struct core *c);

/* ---- events (event.c) ---- */

/* Raise an exception at op: fault-class, RIP of the instruction, state unchanged. They return STEP_FAULT. */
enum step core_raise(struct core *c, const struct op *op, enum vector vector);
enum step core_raise_error(struct core *c, const struct op *op, enum vector vector, u32 error_code);
enum step core_raise_page_fault(struct core *c, const struct op *op, gva_t address, u32 error_code);
/* INT n, INT3, INTO, INT1: trap-class; STEP_TRAP. */
enum step core_raise_software(struct core *c, const struct op *op, u8 vector, enum cpu_event_type type);

static inline enum step core_raise_ud(struct core *c, const struct op *op)
{
	return core_raise(c, op, VECTOR_UD);
}

static inline enum step core_raise_gp(struct core *c, const struct op *op, u32 error)
{
	return core_raise_error(c, op, VECTOR_GP, error);
}

/*
 * Delivers c->cpu.event through the IDT or IVT with everything that may go wrong on the way: contributory faults,
 * double fault, triple fault (activity becomes CPU_SHUTDOWN). Called by the run loop only, with cpu.rip at the
 * instruction to resume. On return no event is pending.
 */
void core_deliver_event(struct core *c);

/* ---- blocks (block.c) ---- */

/* Drops everything decoded; dropping the running block is safe (it finishes its current instruction). */
void core_flush_blocks(struct core *c);
/* Someone wrote to a page with decoded code: stale blocks are dropped before they run again. */
void core_code_written(struct core *c, gpa_t page);

/* The linear RIP-offset of op (the IP within CS). */
static inline u64 op_rip(const struct core *c, const struct op *op)
{
	return c->cpu.gpr[CPU_GPR_RIP] + op->offset;
}

static inline u64 op_next_rip(const struct core *c, const struct op *op)
{
	return op_rip(c, op) + op->insn.length;
}

/* Continue with the next op of the block. */
#define EXEC_NEXT(c, op) return (op)[1].fn((c), (op) + 1)

/*
 * The instruction is done and the run loop must look at the world before the next one: mode, paging, interrupt
 * flag or shadow may have changed.
 */
static inline enum step exec_break(struct core *c, const struct op *op)
{
	c->op = op;
	c->cpu.rip = op_next_rip(c, op);
	return STEP_BREAK;
}

#endif
