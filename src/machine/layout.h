/*
 * The PC's map: where the chipset decodes what, for the board, the firmware tables and the devices alike.
 *
 *   00000000  RAM, up to MEMORY_LOW_LIMIT (machine/memory.h)
 *   d0000000  window for the memory BARs of PCI functions
 *   e0000000  PCI Express enhanced configuration (ECAM), bus 0
 *   fec00000  IOAPIC
 *   fee00000  local APICs and interrupt messages
 *   1_00000000  the rest of RAM
 */
#ifndef MACHINE_LAYOUT_H
#define MACHINE_LAYOUT_H

/* 32-bit memory BARs are assigned from here, and the host bridge's _CRS says so. */
#define LAYOUT_PCI_MEMORY_BASE 0xd0000000ull
#define LAYOUT_PCI_MEMORY_BYTES 0x10000000ull

/* One bus: 32 devices of 8 functions of 4 KiB. The MCFG table gives this base, start bus 0, end bus 0. */
#define LAYOUT_ECAM_BASE 0xe0000000ull
#define LAYOUT_ECAM_BYTES 0x100000ull

#define LAYOUT_IOAPIC_BASE 0xfec00000ull
#define LAYOUT_IOAPIC_BYTES 0x1000ull
#define LAYOUT_LAPIC_BASE 0xfee00000ull
#define LAYOUT_LAPIC_BYTES 0x1000ull

/* I/O BARs are assigned from here. */
#define LAYOUT_PCI_PORT_BASE 0xc000
#define LAYOUT_PCI_PORT_BYTES 0x1000

/* CONFIG_ADDRESS and CONFIG_DATA; inside, at CF9, the chipset's reset control register (FADT's RESET_REG, value 6). */
#define LAYOUT_PCI_CONFIG_PORT 0xcf8
#define LAYOUT_PCI_CONFIG_PORTS 8
#define LAYOUT_RESET_PORT 0xcf9

/* The IOAPIC's pins that PCI interrupt wires reach; below are the ISA interrupts. */
#define LAYOUT_PCI_GSI_BASE 16
#define LAYOUT_PCI_GSIS 8

#endif
