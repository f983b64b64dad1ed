/* The harness: runs every sample of inputs.bin, writes outputs.bin and profile.bin.

   profile.bin is little-endian uint64: loop instructions, loop ticks (the calibration), marks, mark ticks (the cost of
   octavo_mark), samples, stack bytes, total ticks, and the ticks of each layer, summed over the samples. */
#include "board.h"
#include "glue.h"

#define LOOPS_SHORT 100000u
#define LOOPS_LONG 1100000u
#define MARKS 1024u

void octavo_mark(uint32_t layer);
void octavo_inference(void);

static int8_t input[GLUE_INPUT_BYTES];
static int8_t output[GLUE_OUTPUT_BYTES];
static uint64_t layer_ticks[GLUE_LAYER_COUNT + 1];
static uint64_t last;
static uint64_t profile[7 + GLUE_LAYER_COUNT];

void octavo_mark(uint32_t layer)
{
    const uint64_t now = board_ticks();
    if (layer > 0) {
        layer_ticks[layer - 1u] += now - last;
    }
    last = board_ticks();
}

/* One run of the model, under a name by which an emulator finds its begin and its end. */
__attribute__((noinline)) void octavo_inference(void)
{
    glue_run(input, output);
}

static uint64_t loop_ticks(uint32_t loops)
{
    const uint64_t start = board_ticks();
    board_loop(loops);
    return board_ticks() - start;
}

static void calibrate(void)
{
    loop_ticks(LOOPS_SHORT);
    const uint64_t short_ticks = loop_ticks(LOOPS_SHORT);
    profile[0] = 2u * (LOOPS_LONG - LOOPS_SHORT);
    profile[1] = loop_ticks(LOOPS_LONG) - short_ticks;
    octavo_mark(0);
    for (uint32_t i = 0; i < MARKS; ++i) {
        octavo_mark(1);
    }
    profile[2] = MARKS;
    profile[3] = layer_ticks[0];
    layer_ticks[0] = 0;
}

int main(void)
{
    const board_file in = board_open("inputs.bin", 10, 0);
    const board_file out = board_open("outputs.bin", 11, 1);
    if (in < 0 || out < 0) {
        board_write("cannot open inputs.bin or outputs.bin\n");
        return 1;
    }
    board_ticks_start();
    calibrate();
    board_stack_paint();
    while (board_read(in, input, GLUE_INPUT_BYTES) == GLUE_INPUT_BYTES) {
        const uint64_t start = board_ticks();
        octavo_inference();
        profile[6] += board_ticks() - start;
        profile[4] += 1u;
        if (board_put(out, output, GLUE_OUTPUT_BYTES) != GLUE_OUTPUT_BYTES) {
            board_write("cannot write outputs.bin\n");
            return 1;
        }
    }
    profile[5] = board_stack_used();
    for (uint32_t i = 0; i < GLUE_LAYER_COUNT; ++i) {
        profile[7u + i] = layer_ticks[i];
    }
    board_close(in);
    board_close(out);
    const board_file file = board_open("profile.bin", 11, 1);
    if (file < 0 || board_put(file, profile, sizeof profile) != sizeof profile) {
        board_write("cannot write profile.bin\n");
        return 1;
    }
    board_close(file);
    return 0;
}
