/* A program that runs every sample of inputs.bin and writes outputs.bin: for sanitizers and debuggers. */
#include <stdio.h>

#include "glue.h"

int main(void)
{
    static int8_t input[GLUE_INPUT_BYTES], output[GLUE_OUTPUT_BYTES];
    FILE *in = fopen("inputs.bin", "rb"), *out = fopen("outputs.bin", "wb");
    if (in == NULL || out == NULL) {
        return 1;
    }
    while (fread(input, 1, GLUE_INPUT_BYTES, in) == GLUE_INPUT_BYTES) {
        glue_run(input, output);
        if (fwrite(output, 1, GLUE_OUTPUT_BYTES, out) != GLUE_OUTPUT_BYTES) {
            return 1;
        }
    }
    fclose(in);
    return fclose(out);
}
