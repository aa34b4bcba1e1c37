/* SPDX-License-Identifier: MIT
 * sandbox.c - plain seccomp(2) and Landlock, without a library. Entered by the main thread, once. */
#include "daemon/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- system calls ---- */

#if defined __x86_64__ && !defined __ILP32__
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined __aarch64__ && defined AUDIT_ARCH_AARCH64
#define OUR_ARCH AUDIT_ARCH_AARCH64
#endif

/* Calls of Linux 5.1 and later have one number everywhere; the headers may be older than the kernel. */
enum {
	CALL_IO_URING_SETUP = 425, CALL_IO_URING_ENTER, CALL_IO_URING_REGISTER, CALL_OPEN_TREE, CALL_MOVE_MOUNT, CALL_FSOPEN,
	CALL_FSCONFIG, CALL_FSMOUNT, CALL_FSPICK,
	CALL_CLONE3 = 435,
	CALL_PIDFD_GETFD = 438,
	CALL_PROCESS_MADVISE = 440,
	CALL_MOUNT_SETATTR = 442, CALL_QUOTACTL_FD,
	CALL_LANDLOCK_CREATE = 444, CALL_LANDLOCK_ADD, CALL_LANDLOCK_RESTRICT,
};

const int sandbox_refused[] = {
	/* other programs, and other processes */
	SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp, CALL_PIDFD_GETFD,
	CALL_PROCESS_MADVISE,
#ifdef SYS_fork
	SYS_fork,
#endif
#ifdef SYS_vfork
	SYS_vfork,
#endif
	/* another view of the system */
	SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_unshare, SYS_setns, CALL_OPEN_TREE, CALL_MOVE_MOUNT, CALL_FSOPEN,
	CALL_FSCONFIG, CALL_FSMOUNT, CALL_FSPICK, CALL_MOUNT_SETATTR, SYS_open_by_handle_at, SYS_personality,
	/* another account */
	SYS_setuid, SYS_setgid, SYS_setreuid, SYS_setregid, SYS_setresuid, SYS_setresgid, SYS_setgroups, SYS_setfsuid, SYS_setfsgid,
	SYS_capset,
	/* the kernel, and the machine as a whole */
	SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_keyctl, SYS_add_key, SYS_request_key, SYS_kexec_load, SYS_init_module,
	SYS_finit_module, SYS_delete_module, SYS_reboot, SYS_swapon, SYS_swapoff, SYS_acct, SYS_quotactl, CALL_QUOTACTL_FD,
	SYS_sethostname, SYS_setdomainname, SYS_settimeofday, SYS_clock_settime, SYS_clock_adjtime, SYS_adjtimex, SYS_syslog,
	SYS_vhangup, SYS_mknodat, SYS_fanotify_init, SYS_nfsservctl, SYS_lookup_dcookie, CALL_IO_URING_SETUP, CALL_IO_URING_ENTER,
	CALL_IO_URING_REGISTER,
#ifdef SYS_kexec_file_load
	SYS_kexec_file_load,
#endif
#ifdef SYS_mknod
	SYS_mknod,
#endif
#ifdef SYS_iopl
	SYS_iopl, SYS_ioperm, SYS_modify_ldt, SYS_uselib, SYS_create_module, SYS_query_module, SYS_get_kernel_syms,
#endif
};
const int sandbox_refused_count = sizeof sandbox_refused / sizeof *sandbox_refused;

#ifdef OUR_ARCH

#define NR_AT offsetof(struct seccomp_data, nr)
#define ARCH_AT offsetof(struct seccomp_data, arch)
/* Of the first argument the half with the flags of clone: both processors are little-endian. */
#define ARG_AT offsetof(struct seccomp_data, args)
#define ANSWER(error) (SECCOMP_RET_ERRNO | (error))

enum {
	X32_BIT = 0x40000000,           /* calls of x32 programs, which have the same architecture */
	CALLS = sizeof sandbox_refused / sizeof *sandbox_refused,
	FILTER_MOST = CALLS + 32,
};
_Static_assert(CALLS < 200, "a jump reaches over 255 instructions");

static void
add(struct sock_filter *filter, unsigned short *n, struct sock_filter one)
{
	filter[(*n)++] = one;
}

/* The kernel tries this out for each number once, and remembers which are always good: what zogd does all day costs nothing. */
static unsigned short
make_filter(struct sock_filter *f)
{
	unsigned short n = 0;
	add(f, &n, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARCH_AT));
	add(f, &n, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0));
	add(f, &n, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, ANSWER(EPERM)));
	add(f, &n, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NR_AT));
	add(f, &n, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1));
	add(f, &n, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, ANSWER(EPERM)));
	/* Its flags are behind a pointer. Without it the C library takes clone. */
	add(f, &n, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CALL_CLONE3, 0, 1));
	add(f, &n, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, ANSWER(ENOSYS)));
	/* A thread may be made, no process. */
	add(f, &n, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4));
	add(f, &n, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARG_AT));
	add(f, &n, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1));
	add(f, &n, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	add(f, &n, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, ANSWER(EPERM)));
	for (int i = 0; i < CALLS; i++)
		add(f, &n, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)sandbox_refused[i],
		    (unsigned char)(CALLS - i), 0));
	add(f, &n, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	add(f, &n, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, ANSWER(EPERM)));
	return n;
}

int
sandbox_seccomp(void)
{
	struct sock_filter filter[FILTER_MOST];
	struct sock_fprog program = { make_filter(filter), filter };
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0 ? -1 : 0;
}

#else

int
sandbox_seccomp(void)
{
	errno = ENOSYS;
	return -1;
}

#endif

/* ---- files ---- */

/* As in linux/landlock.h, which may be old or not there. */
enum {
	LL_VERSION = 1,                 /* flag of landlock_create_ruleset: tell the version only */
	LL_PATH_BENEATH = 1,            /* kind of rule */
};
#define LL_EXECUTE     (UINT64_C(1) << 0)
#define LL_WRITE_FILE  (UINT64_C(1) << 1)
#define LL_READ_FILE   (UINT64_C(1) << 2)
#define LL_READ_DIR    (UINT64_C(1) << 3)
#define LL_REMOVE_FILE (UINT64_C(1) << 5)
#define LL_MAKE_REG    (UINT64_C(1) << 8)
#define LL_MAKE_SOCK   (UINT64_C(1) << 9)
#define LL_TRUNCATE    (UINT64_C(1) << 14)

/* All rights of a version are taken away, and by a rule some are given back. */
static const uint64_t rights_of[] = { 0, 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff };
#define RIGHTS_KNOWN ((int)(sizeof rights_of / sizeof *rights_of) - 1)
#define RIGHTS_OF_FILES (LL_EXECUTE | LL_WRITE_FILE | LL_READ_FILE | LL_TRUNCATE)

static const uint64_t rights[] = {
	[SANDBOX_READ] = LL_READ_FILE | LL_READ_DIR,
	[SANDBOX_DEVICE] = LL_READ_FILE | LL_WRITE_FILE,
	[SANDBOX_RUN] = LL_READ_FILE | LL_WRITE_FILE | LL_TRUNCATE | LL_MAKE_REG | LL_MAKE_SOCK | LL_REMOVE_FILE,
	[SANDBOX_KEEP] = LL_READ_FILE | LL_READ_DIR | LL_WRITE_FILE | LL_TRUNCATE | LL_MAKE_REG | LL_REMOVE_FILE,
};

struct ll_ruleset {
	uint64_t handled_fs;
};

struct ll_beneath {
	uint64_t allowed;
	int32_t  fd;
} __attribute__((packed));

static int
add_rule(int ruleset, uint64_t handled, const struct sandbox_path *p)
{
	struct stat st;
	struct ll_beneath rule = { rights[p->right] & handled, open(p->path, O_PATH | O_CLOEXEC) };
	if (rule.fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : -1;
	if (fstat(rule.fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed &= RIGHTS_OF_FILES;
	long rc = syscall(CALL_LANDLOCK_ADD, ruleset, LL_PATH_BENEATH, &rule, 0);
	int saved = errno;
	close(rule.fd);
	errno = saved;
	return rc < 0 ? -1 : 0;
}

int
sandbox_landlock(const struct sandbox_path *p, int count)
{
	long version = syscall(CALL_LANDLOCK_CREATE, NULL, 0, LL_VERSION);
	if (version < 1)
		return version < 0 && errno != ENOSYS && errno != EOPNOTSUPP ? -1 : 0;
	uint64_t handled = rights_of[version < RIGHTS_KNOWN ? version : RIGHTS_KNOWN];
	struct ll_ruleset attr = { handled };
	int ruleset = (int)syscall(CALL_LANDLOCK_CREATE, &attr, sizeof attr, 0);
	if (ruleset < 0)
		return -1;
	int rc = 0;
	for (int i = 0; i < count && rc == 0; i++)
		rc = add_rule(ruleset, handled, &p[i]);
	if (rc == 0)
		rc = (int)syscall(CALL_LANDLOCK_RESTRICT, ruleset, 0);
	int saved = errno;
	close(ruleset);
	errno = saved;
	return rc < 0 ? -1 : (int)version;
}

/* ---- both, for zogd ---- */

enum { PATHS = 40 };

struct paths {
	struct sandbox_path path[PATHS];
	char *owned[PATHS];
	int   count;
	bool  full;                     /* or no memory: then better no wall than one with us outside */
};

/* Takes the path, which NULL is not. */
static void
add_path(struct paths *p, char *path, enum sandbox_right right)
{
	if (path == NULL || p->count == PATHS) {
		p->full = true;
		free(path);
		return;
	}
	p->owned[p->count] = path;
	p->path[p->count++] = (struct sandbox_path){ path, right };
}

/* The folder, not the file: who writes it anew may do so by rename. And the one that a link leads to. */
static void
add_folder_of(struct paths *p, const char *file, enum sandbox_right right)
{
	char real[PATH_MAX];
	if (file == NULL)
		return;
	char *copy = strdup(file);
	add_path(p, copy != NULL ? strdup(dirname(copy)) : NULL, right);
	free(copy);
	if (realpath(file, real) != NULL)
		add_path(p, strdup(dirname(real)), right);
}

static int
lock_files(const struct conf *c, const char *conf_file)
{
	/* The resolver reads files and libraries when a name is first looked up. */
	static const struct sandbox_path fixed[] = {
		{ "/etc", SANDBOX_READ }, { "/usr", SANDBOX_READ }, { "/lib", SANDBOX_READ }, { "/lib64", SANDBOX_READ },
		{ "/nix/store", SANDBOX_READ }, { "/gnu/store", SANDBOX_READ }, { "/run/systemd/resolve", SANDBOX_READ },
		{ "/proc/self", SANDBOX_READ }, { "/proc/sys/vm/overcommit_memory", SANDBOX_READ },
		{ "/sys/devices/system/cpu", SANDBOX_READ }, { "/dev/urandom", SANDBOX_READ }, { "/dev/null", SANDBOX_DEVICE },
	};
	struct paths p = { .count = 0 };
	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
		add_path(&p, strdup(fixed[i].path), fixed[i].right);
	add_folder_of(&p, "/etc/resolv.conf", SANDBOX_READ);
	add_folder_of(&p, "/etc/hosts", SANDBOX_READ);
	add_folder_of(&p, conf_file, SANDBOX_READ);
	add_folder_of(&p, c->ring_file, SANDBOX_READ);
	add_folder_of(&p, c->secret_file, SANDBOX_READ);
	add_folder_of(&p, c->pidfile, SANDBOX_RUN);
	add_folder_of(&p, c->control, SANDBOX_RUN);
	add_path(&p, strdup(c->log_dir), SANDBOX_KEEP);
	add_path(&p, strdup(c->state_dir), SANDBOX_KEEP);
	errno = ENOMEM;
	int rc = p.full ? -1 : sandbox_landlock(p.path, p.count), saved = errno;
	for (int i = 0; i < p.count; i++)
		free(p.owned[i]);
	errno = saved;
	return rc;
}

void
sandbox_enter(const struct conf *c, const char *conf_file, struct buf *said)
{
	int version = c->landlock ? lock_files(c, conf_file) : 0;
	if (!c->landlock)
		buf_puts(said, "sandbox: landlock off");
	else if (version > 0)
		buf_printf(said, "sandbox: landlock version %d", version);
	else
		buf_printf(said, "sandbox: no landlock: %s", version == 0 ? "this kernel has none" : strerror(errno));
	/* The filter comes last: it would not stand in the way, but may one day. */
	if (!c->seccomp)
		buf_puts(said, ", seccomp off");
	else if (sandbox_seccomp() == 0)
		buf_printf(said, ", seccomp refuses %d calls", sandbox_refused_count);
	else
		buf_printf(said, ", no seccomp: %s", errno == ENOSYS ? "the calls of this processor are not known" : strerror(errno));
}
