#include <cuda_runtime.h>
#include <stdexcept>

extern "C" {
#include "scale.h"
}

struct scale {
    bool has_gpu;
};

__global__ void multiply(float *numbers, size_t count, float by)
{
    size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x;
    if (i < count)
        numbers[i] *= by;
}

static void check(cudaError_t error)
{
    if (error != cudaSuccess)
        throw std::runtime_error(cudaGetErrorString(error));
}

scale *scale_new(chains_ctx *)
{
    int count = 0;
    bool has_gpu = cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
    return new scale{ has_gpu };
}

chains_status scale_run_remote(scale *self, chains_ctx *ctx, chains_float_list numbers, float by,
                               chains_float_list *scaled, bool *on_gpu)
{
    if (numbers.count > 1000)
        throw std::length_error("too many numbers");
    *scaled = chains_float_list_new(ctx, numbers.count);
    *on_gpu = self->has_gpu;
    size_t size = numbers.count * sizeof(float);
    if (!self->has_gpu) {
        for (size_t i = 0; i < numbers.count; i++)
            scaled->items[i] = numbers.items[i] * by;
        return CHAINS_OK;
    }
    float *device = nullptr;
    check(cudaMalloc(&device, size));
    check(cudaMemcpy(device, numbers.items, size, cudaMemcpyHostToDevice));
    multiply<<<(unsigned)(numbers.count + 255) / 256, 256>>>(device, numbers.count, by);
    check(cudaMemcpy(scaled->items, device, size, cudaMemcpyDeviceToHost));
    check(cudaFree(device));
    return CHAINS_OK;
}

void scale_free(scale *self)
{
    delete self;
}
