/*
 * CPU models and the "MODEL[,+feature,-feature]" language: see model.h.
 *
 * The words of a specification act from left to right. Adding a feature adds what it needs; removing one removes what
 * needs it; so that every intermediate set is closed, and the one that CPUID reports always makes sense.
 */
#include "x86/model.h"
#include "base/bits.h"
#include "base/format.h"
#include "base/nearest.h"
#include "base/string.h"
#include "x86/host_features.h"

#define IN_WORD(id, w) | (FEAT_##id / 64 == (w) ? BIT(FEAT_##id % 64) : 0)
#define IN_WORD_0(id) IN_WORD(id, 0)
#define IN_WORD_1(id) IN_WORD(id, 1)
#define IN_WORD_2(id) IN_WORD(id, 2)
#define IN_WORD_3(id) IN_WORD(id, 3)

static const struct cpu_model models[] = {
#define MODEL(name_, vendor_, family_, model_, stepping_, brand_, leaf_, extended_, physical_, linear_, cache_, list, \
	      text)                                                                                                    \
	{ .name = name_, .vendor = VENDOR_##vendor_, .family = family_, .model = model_, .stepping = stepping_,       \
	  .brand = brand_, .max_leaf = leaf_, .max_extended_leaf = extended_, .physical_bits = physical_,              \
	  .linear_bits = linear_, .cache = cache_, .description = text,                                                \
	  .features = { { 0 list(IN_WORD_0), 0 list(IN_WORD_1), 0 list(IN_WORD_2), 0 list(IN_WORD_3) } } },
#include "x86/models.def"
#undef MODEL
};

static const char *const feature_names[FEAT_COUNT] = {
#define FEATURE(id, name, leaf, subleaf, reg, bit) [FEAT_##id] = name,
#include "x86/feature.def"
#undef FEATURE
};

/* feature: why this version does not show it, whatever the model. The only place that says so. */
static const struct {
	u8 feature;
	const char *why;
} not_yet[] = {
#define VTX "VT-x is not implemented yet"
#define AMDV "AMD-V is not implemented yet"
	{ FEAT_VMX, VTX }, { FEAT_VMX_SECONDARY_CTLS, VTX }, { FEAT_VMX_TRUE_CTLS, VTX },
	{ FEAT_VMX_PREEMPTION_TIMER, VTX }, { FEAT_EPT, VTX }, { FEAT_VPID, VTX }, { FEAT_UNRESTRICTED_GUEST, VTX },
	{ FEAT_EPT_1GB, VTX }, { FEAT_VMX_PLE, VTX }, { FEAT_VMX_APICV, VTX }, { FEAT_VMX_POSTED_INTERRUPTS, VTX },
	{ FEAT_VMFUNC, VTX }, { FEAT_VMCS_SHADOWING, VTX }, { FEAT_EPT_AD, VTX }, { FEAT_EPT_VE, VTX },
	{ FEAT_PML, VTX }, { FEAT_VMX_TSC_SCALING, VTX }, { FEAT_EPT_MBEC, VTX }, { FEAT_EPT_5LEVEL, VTX },
	{ FEAT_VMX_MTF, VTX }, { FEAT_VMX_PAT, VTX }, { FEAT_VMX_EFER, VTX }, { FEAT_VMX_DESCRIPTOR_TABLE, VTX },
	{ FEAT_SVM, AMDV }, { FEAT_NPT, AMDV }, { FEAT_LBRV, AMDV }, { FEAT_SVM_LOCK, AMDV }, { FEAT_NRIP_SAVE, AMDV },
	{ FEAT_TSC_RATE_MSR, AMDV }, { FEAT_VMCB_CLEAN, AMDV }, { FEAT_FLUSH_BY_ASID, AMDV },
	{ FEAT_DECODE_ASSISTS, AMDV }, { FEAT_PAUSE_FILTER, AMDV }, { FEAT_PAUSE_THRESHOLD, AMDV }, { FEAT_AVIC, AMDV },
	{ FEAT_V_VMLOAD_VMSAVE, AMDV }, { FEAT_VGIF, AMDV }, { FEAT_X2AVIC, AMDV }, { FEAT_VNMI, AMDV },
	{ FEAT_SKINIT, AMDV },
#undef VTX
#undef AMDV
	{ FEAT_3DNOW, "3DNow! is not implemented" }, { FEAT_3DNOWEXT, "3DNow! is not implemented" },
	{ FEAT_CET_SS, "shadow stacks are not implemented" },
	{ FEAT_CET_IBT, "indirect-branch tracking is not implemented" },
	{ FEAT_PKS, "supervisor protection keys are not implemented" },
	{ FEAT_WAITPKG, "user-mode wait instructions are not implemented" },
	{ FEAT_PDCM, "performance monitoring is not implemented" },
};

/* feature, what it needs. */
static const u8 needs[][2] = {
#define NEEDS(feature, other) { FEAT_##feature, FEAT_##other },
	NEEDS(PSE36, PSE) NEEDS(MCA, MCE) NEEDS(MCE, MSR) NEEDS(MTRR, MSR) NEEDS(PAT, MSR) NEEDS(SEP, MSR)
	NEEDS(APIC, MSR) NEEDS(X2APIC, APIC) NEEDS(ARAT, APIC) NEEDS(TSC_DEADLINE, APIC) NEEDS(TSC_DEADLINE, TSC)
	NEEDS(TSC_ADJUST, TSC) NEEDS(INVTSC, TSC) NEEDS(RDTSCP, TSC) NEEDS(RDTSCP, MSR) NEEDS(RDPID, MSR)
	NEEDS(MMX, FPU) NEEDS(MMXEXT, MMX) NEEDS(3DNOW, MMX) NEEDS(3DNOWEXT, 3DNOW)
	NEEDS(FXSR, FPU) NEEDS(FXSR_OPT, FXSR) NEEDS(SSE, FXSR) NEEDS(SSE, MMX) NEEDS(SSE2, SSE) NEEDS(SSE3, SSE2)
	NEEDS(SSSE3, SSE3) NEEDS(SSE4_1, SSSE3) NEEDS(SSE4_2, SSE4_1) NEEDS(SSE4A, SSE3) NEEDS(MISALIGNSSE, SSE)
	NEEDS(AES, SSE2) NEEDS(PCLMULQDQ, SSE2) NEEDS(SHA, SSSE3)
	NEEDS(XSAVE, FXSR) NEEDS(XSAVEOPT, XSAVE) NEEDS(XSAVEC, XSAVE) NEEDS(XGETBV1, XSAVE) NEEDS(XSAVES, XSAVEC)
	NEEDS(AVX, XSAVE) NEEDS(AVX, SSE4_2) NEEDS(AVX2, AVX) NEEDS(FMA, AVX) NEEDS(F16C, AVX)
	NEEDS(NX, PAE) NEEDS(NX, MSR) NEEDS(SYSCALL, MSR)
	NEEDS(LM, PAE) NEEDS(LM, SYSCALL) NEEDS(LM, CX8) NEEDS(LM, CMOV) NEEDS(LM, SSE2)
	NEEDS(LAHF_LM, LM) NEEDS(CX16, LM) NEEDS(PDPE1GB, LM) NEEDS(LA57, LM) NEEDS(PCID, LM) NEEDS(FSGSBASE, LM)
	NEEDS(PKU, LM) NEEDS(PKU, XSAVE) NEEDS(PKS, LM) NEEDS(INVPCID, LM) NEEDS(CET_SS, XSAVES)
	NEEDS(ARCH_CAPABILITIES, MSR) NEEDS(SPEC_CTRL, MSR) NEEDS(STIBP, SPEC_CTRL) NEEDS(SSBD, SPEC_CTRL)
	NEEDS(BHI_CTRL, SPEC_CTRL)
	NEEDS(AMD_IBPB, MSR) NEEDS(AMD_IBRS, MSR) NEEDS(AMD_STIBP, MSR) NEEDS(AMD_SSBD, MSR) NEEDS(AUTO_IBRS, LM)
	NEEDS(OSVW, MSR) NEEDS(VMX, MSR)
	NEEDS(VMX_SECONDARY_CTLS, VMX) NEEDS(VMX_TRUE_CTLS, VMX) NEEDS(VMX_PREEMPTION_TIMER, VMX)
	NEEDS(EPT, VMX_SECONDARY_CTLS) NEEDS(VPID, VMX_SECONDARY_CTLS) NEEDS(VMX_PLE, VMX_SECONDARY_CTLS)
	NEEDS(VMX_APICV, VMX_SECONDARY_CTLS) NEEDS(VMX_POSTED_INTERRUPTS, VMX_APICV)
	NEEDS(VMCS_SHADOWING, VMX_SECONDARY_CTLS) NEEDS(VMX_TSC_SCALING, VMX_SECONDARY_CTLS)
	NEEDS(UNRESTRICTED_GUEST, EPT) NEEDS(VMFUNC, EPT) NEEDS(EPT_1GB, EPT) NEEDS(EPT_AD, EPT) NEEDS(EPT_VE, EPT)
	NEEDS(EPT_MBEC, EPT) NEEDS(EPT_5LEVEL, EPT) NEEDS(PML, EPT_AD)
	NEEDS(VMX_MTF, VMX) NEEDS(VMX_PAT, VMX) NEEDS(VMX_EFER, VMX) NEEDS(VMX_DESCRIPTOR_TABLE, VMX_SECONDARY_CTLS)
	NEEDS(SVM, LM) NEEDS(NPT, SVM) NEEDS(LBRV, SVM) NEEDS(SVM_LOCK, SVM) NEEDS(NRIP_SAVE, SVM)
	NEEDS(TSC_RATE_MSR, SVM) NEEDS(VMCB_CLEAN, SVM) NEEDS(FLUSH_BY_ASID, SVM) NEEDS(DECODE_ASSISTS, SVM)
	NEEDS(PAUSE_FILTER, SVM) NEEDS(PAUSE_THRESHOLD, PAUSE_FILTER) NEEDS(AVIC, NPT) NEEDS(X2AVIC, AVIC)
	NEEDS(V_VMLOAD_VMSAVE, NPT) NEEDS(VGIF, SVM) NEEDS(VNMI, VGIF)
#undef NEEDS
};

size_t model_count(void)
{
	return ARRAY_LENGTH(models);
}

const struct cpu_model *model_at(size_t index)
{
	return &models[index];
}

u32 model_signature(const struct cpu_model *model)
{
	u32 family = (u32)min_u64(model->family, 15), extended = model->family - family;

	return extended << 20 | (u32)(model->model >> 4) << 16 | family << 8 | (model->model & 15u) << 4 |
	       model->stepping;
}

const char *feature_name(enum feature feature)
{
	return feature_names[feature];
}

static bool same_name(const char *name, const char *word, size_t length)
{
	return !strncmp(name, word, length) && !name[length];
}

enum feature feature_find(const char *name, size_t length)
{
	enum feature f;

	for (f = 0; f < FEAT_COUNT; f++)
		if (same_name(feature_names[f], name, length))
			break;
	return f;
}

static const struct cpu_model *find_model(const char *name, size_t length)
{
	for (size_t i = 0; i < ARRAY_LENGTH(models); i++)
		if (same_name(models[i].name, name, length))
			return &models[i];
	return NULL;
}

const struct cpu_model *model_find(const char *name)
{
	return find_model(name, strlen(name));
}

const char *model_not_yet(enum feature feature)
{
	for (size_t i = 0; i < ARRAY_LENGTH(not_yet); i++)
		if (not_yet[i].feature == feature)
			return not_yet[i].why;
	return NULL;
}

/* Removes the feature and, until nothing changes, all that needs something absent. */
static void remove_feature(struct feature_set *set, enum feature feature)
{
	bool changed = true;

	feature_set(set, feature, false);
	while (changed) {
		changed = false;
		for (size_t i = 0; i < ARRAY_LENGTH(needs); i++) {
			if (!feature_has(set, needs[i][0]) || feature_has(set, needs[i][1]))
				continue;
			feature_set(set, needs[i][0], false);
			changed = true;
		}
	}
}

/* Adds the feature and, until nothing changes, all that it needs. */
static void add_feature(struct feature_set *set, enum feature feature)
{
	bool changed = true;

	feature_set(set, feature, true);
	while (changed) {
		changed = false;
		for (size_t i = 0; i < ARRAY_LENGTH(needs); i++) {
			if (!feature_has(set, needs[i][0]) || feature_has(set, needs[i][1]))
				continue;
			feature_set(set, needs[i][1], true);
			changed = true;
		}
	}
}

/* What is in a but not in b. */
static struct feature_set difference(const struct feature_set *a, const struct feature_set *b)
{
	struct feature_set result;

	for (size_t i = 0; i < ARRAY_LENGTH(result.word); i++)
		result.word[i] = a->word[i] & ~b->word[i];
	return result;
}

/* ---- errors ---- */

static const char *model_name_at(size_t index)
{
	return index < ARRAY_LENGTH(models) ? models[index].name : NULL;
}

/* FEAT_BASE is no name to suggest. */
static const char *feature_name_at(size_t index)
{
	return index + FEAT_FPU < FEAT_COUNT ? feature_names[index + FEAT_FPU] : NULL;
}

/* ---- parsing ---- */

/* The word up to the next comma. */
static size_t word_length(const char *spec)
{
	size_t length = 0;

	while (spec[length] && spec[length] != ',')
		length++;
	return length;
}

/* The error for adding what this version does not have; false if there is none. */
static bool refuse_not_yet(const struct feature_set *set, const char *word, size_t length, char *error,
			   size_t error_size)
{
	for (enum feature f = 0; f < FEAT_COUNT; f++) {
		if (!feature_has(set, f) || !model_not_yet(f))
			continue;
		format(error, error_size, "CPU feature '%.*s' cannot be had: %s", (int)length, word, model_not_yet(f));
		return true;
	}
	return false;
}

/* One "+feature" or "-feature". */
static bool apply_word(struct feature_set *set, const char *word, size_t length, char *error, size_t error_size)
{
	const char *name = word + 1;
	enum feature f;

	if (length < 2 || (*word != '+' && *word != '-')) {
		format(error, error_size, "'%.*s' in the CPU model: write +feature or -feature", (int)length, word);
		return false;
	}
	f = feature_find(name, length - 1);
	if (f == FEAT_COUNT || f == FEAT_BASE) {
		format(error, error_size, "no CPU feature is called '%.*s'; the nearest is '%s'", (int)length - 1, name,
		       nearest_name(name, length - 1, feature_name_at));
		return false;
	}
	if (*word == '+')
		add_feature(set, f);
	else
		remove_feature(set, f);
	return !refuse_not_yet(set, name, length - 1, error, error_size);
}

static void note_missing(const struct feature_set *missing, char *notes, size_t size)
{
	size_t used = 0;

	if (!size)
		return;
	notes[0] = 0;
	for (enum feature f = 0; f < FEAT_COUNT; f++) {
		if (!feature_has(missing, f))
			continue;
		if (!used)
			used = format(notes, size, "this host's CPU cannot execute, so the guest does not get:");
		if (used < size)
			used += format(notes + used, size - used, " %s", feature_names[f]);
	}
}

/* Drops what the host cannot execute, and says so. */
static void apply_host(struct feature_set *set, const struct feature_set *host, char *notes, size_t notes_size)
{
	struct feature_set before = *set, missing;

	for (enum feature f = 0; f < FEAT_COUNT; f++)
		if (host_feature_matters(f) && feature_has(set, f) && !feature_has(host, f))
			remove_feature(set, f);
	missing = difference(&before, set);
	note_missing(&missing, notes, notes_size);
}

bool model_parse_for_host(const char *spec, const struct feature_set *host, const struct cpu_model **model,
			  struct feature_set *features, char *error, size_t error_size, char *notes, size_t notes_size)
{
	size_t length = word_length(spec);
	struct feature_set set;

	*model = find_model(spec, length);
	if (!*model) {
		format(error, error_size, "no CPU model is called '%.*s'; the nearest is '%s'", (int)length, spec,
		       nearest_name(spec, length, model_name_at));
		return false;
	}
	set = (*model)->features;
	for (size_t i = 0; i < ARRAY_LENGTH(not_yet); i++)
		remove_feature(&set, not_yet[i].feature);
	add_feature(&set, FEAT_HYPERVISOR);
	for (const char *word = spec + length; *word; word += length) {
		length = word_length(++word);
		if (!apply_word(&set, word, length, error, error_size))
			return false;
	}
	apply_host(&set, host, notes, notes_size);
	*features = set;
	return true;
}

bool model_parse(const char *spec, const struct cpu_model **model, struct feature_set *features, char *error,
		 size_t error_size, char *notes, size_t notes_size)
{
	struct feature_set host;

	host_features(&host);
	return model_parse_for_host(spec, &host, model, features, error, error_size, notes, notes_size);
}
