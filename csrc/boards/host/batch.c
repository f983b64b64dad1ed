/* Entry points for the host's shared library: a run of samples, and the sizes that it expects. */
#include "glue.h"

void octavo_host_run(const int8_t *inputs, int8_t *outputs, int64_t samples);
int64_t octavo_host_input_bytes(void);
int64_t octavo_host_output_bytes(void);

void octavo_host_run(const int8_t *inputs, int8_t *outputs, int64_t samples)
{
    for (int64_t i = 0; i < samples; ++i) {
        glue_run(inputs + i * GLUE_INPUT_BYTES, outputs + i * GLUE_OUTPUT_BYTES);
    }
}

int64_t octavo_host_input_bytes(void)
{
    return GLUE_INPUT_BYTES;
}

int64_t octavo_host_output_bytes(void)
{
    return GLUE_OUTPUT_BYTES;
}
