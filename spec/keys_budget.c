/* The keys of [cpu], [memory] and [io]: how much there is of what. */
#include <string.h>
#include <sys/stat.h>

#include "spec/choices.h"
#include "spec/row.h"
#include "spec/shorthand.h"
#include "spec/values.h"

static const struct row cpu[] = {
	{
		.section = "cpu",
		.name = "share",
		NUMBER(row_number, cpu.share),
		.min = 1,
		.max = 10000,
		.live = true,
		.fallback = "100",
		.allowed = "1..10000",
		.help = "The weight against other contexts when CPU time is short.",
	},
	{
		.section = "cpu",
		.name = "reserve",
		NUMBER(row_cpu, cpu.reserve_millicpu),
		.max = 10000 * UINT64_C(1000),
		.live = true,
		.fallback = "0%",
		.allowed = "0%..1000000% of one CPU, 20%m of the machine, at most the limit",
		.help = "The CPU time that is there whenever it is wanted, whatever others do.",
	},
	{
		.section = "cpu",
		.name = "limit",
		NUMBER(row_cpu, cpu.limit_millicpu),
		.min = 10,
		.max = 10000 * UINT64_C(1000),
		.endless = true,
		.live = true,
		.fallback = "max",
		.allowed = "1%..1000000% of one CPU, 20%m of the machine, or max",
		.help = "The CPU time never exceeded, even on an idle host.",
	},
	{
		.section = "cpu",
		.name = "burst",
		NUMBER(row_duration, cpu.burst_us),
		.max = 10 * SECOND,
		.live = true,
		.fallback = "0s",
		.allowed = "0s..10s, at most what the limit grants in a second",
		.help = "CPU time that may be saved while idle and spent above the limit.",
	},
	{
		.section = "cpu",
		.name = "cpus",
		TEXT(cpu.cpus),
		.check = value_check_list,
		.live = true,
		.fallback = "",
		.allowed = "numbers and ranges such as 0-1,3",
		.help = "The CPUs that may be used. Empty: all.",
	},
	{
		.section = "cpu",
		.name = "mems",
		TEXT(cpu.mems),
		.check = value_check_list,
		.live = true,
		.fallback = "",
		.allowed = "numbers and ranges such as 0-1,3",
		.help = "The memory nodes that may be used. Empty: all.",
	},
};
const struct row_section keys_cpu = { cpu, ARRAY_SIZE(cpu) };

static const struct row memory[] = {
	{
		.section = "memory",
		.name = "limit",
		NUMBER(row_bytes, memory.limit),
		.min = MIB,
		.max = PIB,
		.endless = true,
		.live = true,
		.fallback = "max",
		.allowed = "1M..1024T or max",
		.help = "Memory the context may use, its files in tmpfs and page cache included.",
	},
	{
		.section = "memory",
		.name = "reserve",
		NUMBER(row_bytes, memory.reserve),
		.max = PIB,
		.live = true,
		.fallback = "0",
		.allowed = "0..1024T",
		.help = "Memory that is not taken from the context for the sake of others.",
	},
	{
		.section = "memory",
		.name = "soft",
		NUMBER(row_bytes, memory.soft),
		.min = MIB,
		.max = PIB,
		.endless = true,
		.live = true,
		.fallback = "max",
		.allowed = "1M..1024T or max, at least the reserve, at most the limit",
		.help = "Memory above which the context is slowed down and gives memory back, but "
			"is not ended (cgroup v2 only).",
	},
	{
		.section = "memory",
		.name = "swap",
		NUMBER(row_bytes, memory.swap),
		.max = PIB,
		.endless = true,
		.live = true,
		.fallback = "max",
		.allowed = "0..1024T or max",
		.help = "Swap space the context may use besides its memory.",
	},
	{
		.section = "memory",
		.name = "oom",
		WORD(memory.oom, enum spec_oom, choice_oom),
		.live = true,
		.fallback = "context",
		.allowed = "context, process",
		.help = "What dies when there is no memory left within the limit: the whole "
			"context, "
			"or the process that the kernel chooses, usually the largest.",
	},
};
const struct row_section keys_memory = { memory, ARRAY_SIZE(memory) };

static const struct row io[] = {
	{
		.section = "io",
		.name = "share",
		LIST(row_io_share, io.shares, io.share_count, struct spec_io_part),
		.min = 1,
		.max = 1000,
		.check = value_check_device,
		.live = true,
		.fallback = "",
		.allowed = "DEVICE and a weight of 1..1000: /dev/vda 200",
		.help = "The weight against other contexts while a disk is busy; 100 for who says "
			"none. The disk must be scheduled by BFQ (to the letter with its "
			"strict_guarantees) or, on cgroup v2, have iocost.",
	},
	{
		.section = "io",
		.name = "reserve",
		LIST(row_io_reserve, io.reserves, io.reserve_count, struct spec_io_part),
		.min = 1,
		.max = 1000,
		.check = value_check_device,
		.live = true,
		.fallback = "",
		.allowed = "DEVICE and 0.1%..100% of what it does: /dev/vda 30%",
		.help = "The part of a disk's service that is there whenever it is wanted, "
			"whatever other contexts do. The disk must be scheduled as for share.",
	},
	{
		.section = "io",
		.name = "limit",
		LIST(row_io_limit, io.limits, io.limit_count, struct spec_io_limit),
		.check = value_check_device,
		.live = true,
		.fallback = "",
		.allowed = "DEVICE and one or more of read RATE, write RATE, read-ops NUMBER, "
			   "write-ops NUMBER: /dev/vda read 50MB/s write-ops 500",
		.help = "What is read from and written to a disk in a second, at most.",
	},
};
const struct row_section keys_io = { io, ARRAY_SIZE(io) };
