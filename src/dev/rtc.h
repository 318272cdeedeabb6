/*
 * The real-time clock and its battery-backed memory ("MC146818A Real-Time Clock Plus RAM"), with what a PC's firmware
 * keeps there.
 *
 * The chip's own oscillator of 32768 Hz is the unit of everything: the time is a count of its ticks since 1970.
 */
#ifndef DEV_RTC_H
#define DEV_RTC_H

#include "machine/bus.h"
#include "machine/clock.h"
#include "machine/irq.h"

#define RTC_PORT 0x70u /* 2 ports */
#define RTC_IRQ 8u
#define RTC_RAM_BYTES 128u
#define RTC_SHUTDOWN_STATUS 0x0fu /* CMOS index: what firmware is to do after a reset */

struct rtc_state {
	u8 index;
	bool nmi_masked;         /* bit 7 of port 70H */
	u8 ram[RTC_RAM_BYTES];   /* the time's registers are current only while the time stands still */
	s64 offset;              /* of the time from the machine's clock, ticks */
	s64 stopped_at;          /* the time while the divider is held, ticks */
	s64 seen;                /* time up to which events have been noted in register C */
	u8 weekday_shift;        /* of the guest's weekday from the calendar's */
};

struct rtc {
	struct rtc_state state;
	struct clock *clock;
	struct irq_line irq;
	struct timer timer;
};

extern const struct bus_ops rtc_ops; /* device: struct rtc */

/* low_bytes of RAM below the PCI hole, high_bytes from 4 GiB on: for the CMOS memory-size bytes. */
void rtc_init(struct rtc *rtc, struct clock *clock, struct irq_line irq, u64 low_bytes, u64 high_bytes);
/* RESET leaves time and memory alone. */
void rtc_reset(struct rtc *rtc);
/* After state was overwritten from a snapshot. */
void rtc_restored(struct rtc *rtc);

#endif
