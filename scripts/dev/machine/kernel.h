/*
 * What nearly all files of the kernel include, read by the compiler once for all
 * of them: that halves the time. It wants the same macros each time, so that
 * build.sh gives all files one name. Assembler, and what runs before the kernel,
 * includes none of it; lib/sort.c has a word of its own that is a macro here.
 */
#if !defined(__ASSEMBLY__) && !defined(_SETUP) && !defined(__DISABLE_EXPORTS) && !defined(ALONE)
#include <linux/kconfig.h>
#include <linux/compiler_types.h>
#include <linux/highmem.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/netfilter.h>
#include <linux/pagemap.h>
#include <linux/poll.h>
#include <linux/proc_fs.h>
#include <linux/rtnetlink.h>
#include <linux/seq_file.h>
#include <net/route.h>
#include <net/tcp.h>
#endif
