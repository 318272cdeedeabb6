/*
 * Events as EVENTINJ and EXITINTINFO hold them: which one is injected, or was being delivered when the guest was left.
 *
 * "Event Injection"; "Intercepts During IDT Interrupt Delivery". The parts of the word are in bits.def.
 */
#ifndef SVM_EVENT_H
#define SVM_EVENT_H

#include "svm/control.h"

/* "Guest Exception or Interrupt Types"; the other values are reserved. */
enum svm_event_type { SVM_EVENT_INTR = 0, SVM_EVENT_NMI = 2, SVM_EVENT_EXCEPTION = 3, SVM_EVENT_SOFTWARE = 4 };

#define SVM_EVENT_TYPES (BIT(SVM_EVENT_INTR) | BIT(SVM_EVENT_NMI) | BIT(SVM_EVENT_EXCEPTION) | BIT(SVM_EVENT_SOFTWARE))

static inline bool svm_event_valid(u64 event)
{
	return event & SVM_EVENT_VALID;
}

static inline u8 svm_event_vector(u64 event)
{
	return event & SVM_EVENT_VECTOR;
}

/* 0 to 7: an enum svm_event_type or a reserved one. */
static inline unsigned svm_event_type(u64 event)
{
	return (event & SVM_EVENT_TYPE) >> SVM_EVENT_TYPE_SHIFT;
}

static inline u32 svm_event_error_code(u64 event)
{
	return (u32)(event >> SVM_EVENT_ERROR_CODE_SHIFT);
}

static inline u64 svm_event(enum svm_event_type type, u8 vector)
{
	return SVM_EVENT_VALID | (u64)type << SVM_EVENT_TYPE_SHIFT | vector;
}

static inline u64 svm_event_with_error(enum svm_event_type type, u8 vector, u32 error_code)
{
	return svm_event(type, vector) | SVM_EVENT_ERROR_VALID | (u64)error_code << SVM_EVENT_ERROR_CODE_SHIFT;
}

#endif
