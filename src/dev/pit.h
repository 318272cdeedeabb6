/*
 * The 8254 timer ("82C54 CHMOS Programmable Interval Timer") and the port that gates its third channel to the
 * speaker.
 *
 * Time is counted in the chip's own ticks since power-on, so that everything is exact integers. Counts load at
 * once instead of at the next tick.
 */
#ifndef DEV_PIT_H
#define DEV_PIT_H

#include "machine/bus.h"
#include "machine/clock.h"
#include "machine/irq.h"

#define PIT_HZ 1193182ull
#define PIT_PORT 0x40u         /* 4 ports */
#define PIT_SPEAKER_PORT 0x61u /* 1 port: NMI status and control */
#define PIT_CHANNELS 3u

struct pit_channel_state {
	u8 mode;              /* 0-5 */
	u8 access;            /* 1: low byte, 2: high byte, 3: low, then high */
	bool bcd, gate;
	bool low_written;     /* access 3: the low byte of a new count is in low */
	bool low_read;        /* access 3: the high byte is read next */
	u8 low;
	bool null_count;      /* a count was written, or is due, that does not count yet */
	bool status_latched;
	u8 status;
	u8 latched_bytes;     /* bytes of latch still to read */
	u16 latch;
	bool counting;        /* a count has been loaded; start tells when */
	bool paused;          /* gate low: the count stands at `elapsed` */
	u32 count, next;      /* 1-65536; next 0: none waits for the end of the cycle */
	u64 start;            /* ticks since power-on */
	u64 elapsed;
	u64 switches;         /* the tick at which next takes over */
};

struct pit_state {
	struct pit_channel_state channel[PIT_CHANNELS];
	u64 seen;    /* tick up to which channel 0's output has been driven */
	u8 speaker;  /* port 61h's writable bits */
};

struct pit {
	struct pit_state state;
	struct clock *clock;
	struct irq_line irq; /* OUT of channel 0 */
	struct timer timer;
};

extern const struct bus_ops pit_ops, pit_speaker_ops; /* device: struct pit */

void pit_init(struct pit *pit, struct clock *clock, struct irq_line irq);
void pit_reset(struct pit *pit);
/* After state was overwritten from a snapshot. */
void pit_restored(struct pit *pit);

#endif
