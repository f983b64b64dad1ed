/* A plugin of QEMU's translator: how often each block of code ran, layer by layer, and the bytes it moved.

   qemu-system-... -plugin count.so,begin=ADDRESS,mark=ADDRESS,ram=ADDRESS,segments=N,out=FILE

   Counting begins when the function at `begin` is called and ends when it returns; a further call begins anew. Segment
   0 lasts until the first call of the function at `mark`, each call opens the next segment, and the calls themselves
   are not counted. FILE gets a line for each block and segment that ran,

       block ADDRESS BYTES INSTRUCTIONS SEGMENT TIMES TAKEN

   where TAKEN says how often what ran next was not the instruction behind the block; and a line for each segment,

       moved SEGMENT FLASH_READ RAM_READ RAM_WRITTEN

   in bytes, where RAM begins at `ram`. This is a program of the host's, so it may allocate and has state.

   QEMU brings no header for plugins in most packages: declared here is what is used of its interface, version 1
   (QEMU 4.2 to 8) or 2 (from 9 on), https://www.qemu.org/docs/master/devel/tcg-plugins.html. */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { NO_REGISTERS = 0, READS_AND_WRITES = 3 };

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*callback)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(
    struct qemu_plugin_tb *block, void (*callback)(unsigned, void *), int flags, void *data);
void qemu_plugin_register_vcpu_mem_cb(
    struct qemu_plugin_insn *instruction, void (*callback)(unsigned, uint32_t, uint64_t, void *), int flags, int which,
    void *data);
void qemu_plugin_register_atexit_cb(plugin_id id, void (*callback)(plugin_id, void *), void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *instruction);
unsigned qemu_plugin_mem_size_shift(uint32_t info);
bool qemu_plugin_mem_is_store(uint32_t info);
/* Only there from version 2 on. */
__attribute__((weak)) void *qemu_plugin_scoreboard_new(size_t size);

int qemu_plugin_version = 1;
int qemu_plugin_install(plugin_id id, const void *info, int count, char **arguments);

struct tally {
    uint64_t times, taken;
};

struct block {
    struct block *next;
    uint64_t address, bytes, instructions;
    struct tally tallies[]; /* by segment */
};

struct moved {
    uint64_t flash_read, ram_read, ram_written;
};

static uint64_t begin, mark, ram, segments;
static const char *out;
static struct block *blocks;
static struct moved *moved;

static enum { OUTSIDE, INSIDE, IN_MARK } state;
static uint64_t segment;
static const struct block *before;     /* what ran last */
static struct tally *before_tally;     /* NULL where it was not counted */
static uint64_t after_begin, after_mark; /* where the functions return to */

__attribute__((constructor)) static void choose_version(void)
{
    if (qemu_plugin_scoreboard_new != NULL) {
        qemu_plugin_version = 2;
    }
}

static void *cleared(size_t bytes)
{
    void *memory = calloc(1, bytes);
    if (memory == NULL) {
        fputs("count plugin: no memory\n", stderr);
        exit(1);
    }
    return memory;
}

static void begin_anew(void)
{
    for (struct block *b = blocks; b != NULL; b = b->next) {
        memset(b->tallies, 0, segments * sizeof b->tallies[0]);
    }
    memset(moved, 0, segments * sizeof moved[0]);
    segment = 0;
    state = INSIDE;
}

/* Follows calls and returns; `last` is where the previous block ended. */
static void follow(uint64_t address, uint64_t last)
{
    if (address == begin) {
        after_begin = last;
        begin_anew();
    } else if (state == OUTSIDE) {
        return;
    } else if (address == after_begin) {
        state = OUTSIDE;
    } else if (address == mark) {
        after_mark = last;
        state = IN_MARK;
    } else if (state == IN_MARK && address == after_mark) {
        segment = segment + 1 < segments ? segment + 1 : segment;
        state = INSIDE;
    }
}

static void ran(unsigned cpu, void *data)
{
    struct block *b = data;
    const uint64_t last = before != NULL ? before->address + before->bytes : 0;
    (void)cpu;
    if (before_tally != NULL && last != b->address) {
        before_tally->taken += 1;
    }
    follow(b->address, last);
    before = b;
    before_tally = NULL;
    if (state == INSIDE) {
        before_tally = &b->tallies[segment];
        before_tally->times += 1;
    }
}

static void accessed(unsigned cpu, uint32_t info, uint64_t address, void *data)
{
    (void)cpu;
    (void)data;
    if (state == INSIDE) {
        const uint64_t bytes = (uint64_t)1 << qemu_plugin_mem_size_shift(info);
        struct moved *m = &moved[segment];
        if (qemu_plugin_mem_is_store(info)) {
            m->ram_written += bytes;
        } else if (address >= ram) {
            m->ram_read += bytes;
        } else {
            m->flash_read += bytes;
        }
    }
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
    struct block *b = cleared(sizeof *b + segments * sizeof b->tallies[0]);
    (void)id;
    b->address = qemu_plugin_tb_vaddr(tb);
    b->instructions = qemu_plugin_tb_n_insns(tb);
    for (size_t i = 0; i < b->instructions; ++i) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(tb, i);
        b->bytes += qemu_plugin_insn_size(instruction);
        qemu_plugin_register_vcpu_mem_cb(instruction, accessed, NO_REGISTERS, READS_AND_WRITES, NULL);
    }
    b->next = blocks;
    blocks = b;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, ran, NO_REGISTERS, b);
}

static void report(plugin_id id, void *data)
{
    FILE *file = fopen(out, "w");
    (void)id;
    (void)data;
    if (file == NULL) {
        return;
    }
    for (const struct block *b = blocks; b != NULL; b = b->next) {
        for (uint64_t s = 0; s < segments; ++s) {
            if (b->tallies[s].times > 0) {
                fprintf(
                    file, "block %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", b->address,
                    b->bytes, b->instructions, s, b->tallies[s].times, b->tallies[s].taken);
            }
        }
    }
    for (uint64_t s = 0; s < segments; ++s) {
        const struct moved *m = &moved[s];
        fprintf(
            file, "moved %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", s, m->flash_read, m->ram_read,
            m->ram_written);
    }
    fclose(file);
}

int qemu_plugin_install(plugin_id id, const void *info, int count, char **arguments)
{
    const struct {
        const char *name;
        uint64_t *value;
    } numbers[] = {{"begin=", &begin}, {"mark=", &mark}, {"ram=", &ram}, {"segments=", &segments}};
    (void)info;
    for (int i = 0; i < count; ++i) {
        if (strncmp(arguments[i], "out=", 4) == 0) {
            out = strdup(arguments[i] + 4);
        }
        for (size_t n = 0; n < sizeof numbers / sizeof numbers[0]; ++n) {
            const size_t length = strlen(numbers[n].name);
            if (strncmp(arguments[i], numbers[n].name, length) == 0) {
                *numbers[n].value = strtoull(arguments[i] + length, NULL, 0);
            }
        }
    }
    if (out == NULL || segments == 0) {
        fputs("count plugin: arguments are missing\n", stderr);
        return 1;
    }
    moved = cleared(segments * sizeof moved[0]);
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, report, NULL);
    return 0;
}
